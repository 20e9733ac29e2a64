import { matmul, type Activation, type Encoder, type Tensor, type Weight } from '../../kernels'
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
}
