import {
  addInto,
  columnSums,
  matmul,
  matmulBackward,
  matmulWeightBackward,
  normMatmul,
  normMatmulFits,
  rmsNorm,
  type Activation,
  type Encoder,
  type RowNorm,
  type Tensor,
  type Weight,
} from '../../kernels'
import type { GradientSums } from '../gradients'
import type { Weights } from '../parameters'

/** y = x W^T + b, with what follows it in the same dispatch. */
export class Linear {
  constructor(
    readonly weight: Weight,
    readonly bias: Tensor | undefined,
  ) {}

  static at(weights: Weights): Linear {
    return new Linear(weights.matrix('weight'), weights.optionalVector('bias'))
  }

  /** Shapes: x [..., in] -> [..., out]; residual [..., out] is added after the activation. */
  forward(enc: Encoder, x: Tensor, after: { activation?: Activation; residual?: Tensor } = {}): Tensor {
    return matmul(enc, x, this.weight, { bias: this.bias, ...after })
  }

  /** Of the rows' RMS norm, which takes no dispatch of its own for one row. Shapes: x [..., in] -> [..., out]. */
  forwardNormed(enc: Encoder, x: Tensor, norm: RowNorm): Tensor {
    if (normMatmulFits(enc.gpu.caps, x, this.weight)) return normMatmul(enc, x, norm, this.weight, this.bias)
    return enc.scope(() => this.forward(enc, rmsNorm(enc, x, norm.gain, norm.eps)))
  }

  /** dLoss/dx, without what followed; added to `into` where that is given. Shapes: dy [..., out] -> [..., in]. */
  backward(enc: Encoder, dy: Tensor, into?: Tensor): Tensor {
    return matmulBackward(enc, dy, this.weight, into)
  }

  /** Adds dLoss/dW and dLoss/db where they are asked for. Shapes: dy [..., out], x [..., in]. */
  weightBackward(enc: Encoder, dy: Tensor, x: Tensor, sums: GradientSums): void {
    const dw = sums.find('weight')
    const db = this.bias && sums.find('bias')
    if (dw) matmulWeightBackward(enc, dy, x, { dw, db }, true)
    else if (db) enc.scope(() => addInto(enc, db, columnSums(enc, dy)))
  }
}
