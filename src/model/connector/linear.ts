import type { Encoder, Tensor } from '../../kernels'
import { Linear } from '../layers/linear'
import { linearSpecs, under } from '../parameters'
import type { Connector, ConnectorSlot } from './definition'

/** LLaVA 1's connector: one linear layer. Source: Liu et al. 2023, arXiv:2304.08485. */
class LinearConnector implements Connector {
  constructor(private readonly linear: Linear) {}

  forward(enc: Encoder, x: Tensor): Tensor {
    return this.linear.forward(enc, x)
  }
}

export const linear: ConnectorSlot = {
  type: 'linear',
  params: ({ visionWidth, textWidth, bias }) => under('linear_1', linearSpecs(textWidth, visionWidth, bias)),
  create: (_, weights) => new LinearConnector(Linear.at(weights.at('linear_1'))),
}
