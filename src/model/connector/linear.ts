import type { Encoder, Tensor } from '../../kernels'
import type { GradientSums } from '../gradients'
import { Linear } from '../layers/linear'
import { linearSpecs, under } from '../parameters'
import type { ConnectorSlot } from './definition'
import type { TrainableRows } from './trainable'

/** LLaVA 1's connector: one linear layer. Source: Liu et al. 2023, arXiv:2304.08485. */
class LinearConnector implements TrainableRows {
  constructor(private readonly linear: Linear) {}

  forward(enc: Encoder, x: Tensor): Tensor {
    return this.linear.forward(enc, x)
  }

  backward(enc: Encoder, dy: Tensor, x: Tensor, sums: GradientSums, wantsInput: boolean): Tensor | undefined {
    this.linear.weightBackward(enc, dy, x, sums.at('linear_1'))
    return wantsInput ? this.linear.backward(enc, dy) : undefined
  }
}

export const linear: ConnectorSlot = {
  type: 'linear',
  params: ({ visionWidth, textWidth, bias }) => under('linear_1', linearSpecs(textWidth, visionWidth, bias)),
  create: (_, weights) => new LinearConnector(Linear.at(weights.at('linear_1'))),
}
