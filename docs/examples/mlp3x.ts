import type { Activation, Encoder, Tensor } from '../../src/kernels'
import { Linear } from '../../src/model/layers/linear'
import { linearSpecs, under } from '../../src/model/parameters'
import type { Connector, ConnectorSlot } from '../../src/model/connector/definition'

/** Three linear layers with an activation between each two. Source: LLaVA's mlpNx_gelu with N = 3. */
class Mlp3xConnector implements Connector {
  constructor(
    private readonly layers: readonly [Linear, Linear, Linear],
    private readonly activation: Activation,
  ) {}

  forward(enc: Encoder, x: Tensor): Tensor {
    const [first, second, third] = this.layers
    const { activation } = this
    return enc.scope(() => {
      const hidden = second.forward(enc, first.forward(enc, x, { activation }), { activation })
      return third.forward(enc, hidden)
    })
  }
}

export const mlp3x: ConnectorSlot = {
  type: 'mlp3x_gelu',
  params: ({ visionWidth, textWidth, bias }) => ({
    ...under('linear_1', linearSpecs(textWidth, visionWidth, bias)),
    ...under('linear_2', linearSpecs(textWidth, textWidth, bias)),
    ...under('linear_3', linearSpecs(textWidth, textWidth, bias)),
  }),
  create: ({ activation }, weights) => {
    const linear = (name: string) => Linear.at(weights.at(name))
    return new Mlp3xConnector([linear('linear_1'), linear('linear_2'), linear('linear_3')], activation)
  },
}
