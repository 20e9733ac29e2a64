import {
  activation,
  activationBackward,
  mlpProjector,
  type Activation,
  type Encoder,
  type Tensor,
} from '../../kernels'
import type { GradientSums } from '../gradients'
import type { Weights } from '../parameters'
import { Linear } from './linear'

/** Linear layers one behind the other, with an activation between each two. */
export class LinearStack {
  private constructor(
    private readonly names: readonly string[],
    private readonly layers: readonly Linear[],
    private readonly activation: Activation,
  ) {}

  /** The layers `names` of a part of a model, in order. */
  static at(weights: Weights, names: readonly string[], activation: Activation): LinearStack {
    return new LinearStack(
      names,
      names.map((name) => Linear.at(weights.at(name))),
      activation,
    )
  }

  /** Shapes: x [..., in] -> [..., out]; residual [..., out] is added to it. */
  forward(enc: Encoder, x: Tensor, after: { residual?: Tensor } = {}): Tensor {
    const [first, second] = this.layers
    if (this.layers.length === 2 && !after.residual) {
      const fused = mlpProjector(
        enc,
        x,
        first!.weight,
        first!.bias,
        second!.weight,
        second!.bias,
        this.activation,
      )
      if (fused) return fused
    }
    const last = this.layers.length - 1
    return enc.scope(() =>
      this.layers.reduce(
        (y, layer, i) => layer.forward(enc, y, i === last ? after : { activation: this.activation }),
        x,
      ),
    )
  }

  /**
   * dLoss/dx, where `wantsInput`; the layers' gradients are added to `sums`. What lies between the layers is computed again.
   *
   * Shapes: dy [..., out], x [..., in] -> [..., in].
   */
  backward(enc: Encoder, dy: Tensor, x: Tensor, sums: GradientSums, wantsInput: true): Tensor
  backward(enc: Encoder, dy: Tensor, x: Tensor, sums: GradientSums, wantsInput: boolean): Tensor | undefined
  backward(enc: Encoder, dy: Tensor, x: Tensor, sums: GradientSums, wantsInput: boolean): Tensor | undefined {
    return enc.scope(() => {
      const inputs = [x]
      const sumsBefore: Tensor[] = []
      for (const layer of this.layers.slice(0, -1)) {
        const h = layer.forward(enc, inputs[inputs.length - 1]!)
        sumsBefore.push(h)
        inputs.push(activation(enc, h, this.activation))
      }
      let d = dy
      for (let i = this.layers.length - 1; i >= 0; i--) {
        const layer = this.layers[i]!
        layer.weightBackward(enc, d, inputs[i]!, sums.at(this.names[i]!))
        if (i === 0 && !wantsInput) return undefined
        d = layer.backward(enc, d)
        if (i > 0) d = activationBackward(enc, d, sumsBefore[i - 1]!, this.activation)
      }
      return d
    })
  }
}
