import { mlpProjector, type Activation, type Encoder, type Tensor } from '../../kernels'
import { Linear } from '../layers/linear'
import { linearSpecs, under } from '../parameters'
import type { Connector, ConnectorSlot } from './definition'

/** LLaVA 1.5's connector: linear, activation, linear. Source: Liu et al. 2023, arXiv:2310.03744. */
class MlpConnector implements Connector {
  constructor(
    private readonly linear1: Linear,
    private readonly linear2: Linear,
    private readonly activation: Activation,
  ) {}

  forward(enc: Encoder, x: Tensor): Tensor {
    const { linear1, linear2, activation } = this
    const fused = mlpProjector(enc, x, linear1.weight, linear1.bias, linear2.weight, linear2.bias, activation)
    return fused ?? enc.scope(() => linear2.forward(enc, linear1.forward(enc, x, { activation })))
  }
}

export const mlp: ConnectorSlot = {
  type: 'mlp2x_gelu',
  params: ({ visionWidth, textWidth, bias }) => ({
    ...under('linear_1', linearSpecs(textWidth, visionWidth, bias)),
    ...under('linear_2', linearSpecs(textWidth, textWidth, bias)),
  }),
  create: ({ activation }, weights) =>
    new MlpConnector(Linear.at(weights.at('linear_1')), Linear.at(weights.at('linear_2')), activation),
}
