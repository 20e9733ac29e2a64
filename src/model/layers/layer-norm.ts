import {
  layerNorm,
  layerNormBackward,
  layerNormWeightBackward,
  type Encoder,
  type Tensor,
} from '../../kernels'
import type { GradientSums } from '../gradients'
import type { Weights } from '../parameters'

/** Layer norm over the last axis. */
export class LayerNorm {
  constructor(
    readonly weight: Tensor,
    readonly bias: Tensor,
    readonly eps: number,
  ) {}

  static at(weights: Weights, eps: number): LayerNorm {
    return new LayerNorm(weights.vector('weight'), weights.vector('bias'), eps)
  }

  /** Shapes: x [..., C] -> [..., C]. */
  forward(enc: Encoder, x: Tensor): Tensor {
    return layerNorm(enc, x, this.weight, this.bias, this.eps)
  }

  /** dLoss/dx. Shapes: dy, x [..., C] -> [..., C]. */
  backward(enc: Encoder, dy: Tensor, x: Tensor): Tensor {
    return layerNormBackward(enc, dy, x, this.weight, this.eps)
  }

  /** Adds dLoss/dweight and dLoss/dbias where they are asked for. Shapes: dy, x [..., C]. */
  weightBackward(enc: Encoder, dy: Tensor, x: Tensor, sums: GradientSums): void {
    const weight = sums.find('weight')
    const bias = sums.find('bias')
    if (!weight && !bias) return
    enc.scope(() => {
      // The two come from one kernel; what nobody asks for goes nowhere.
      const dWeight = weight ?? enc.temp(this.weight.shape)
      const dBias = bias ?? enc.temp(this.bias.shape)
      layerNormWeightBackward(enc, dy, x, this.eps, { dWeight, dBias }, true)
    })
  }
}
