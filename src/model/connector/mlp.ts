import { LinearStack } from '../layers/linear-stack'
import { linearSpecs, under, type ParameterSpecs } from '../parameters'
import type { ConnectorSlot } from './definition'

/**
 * LLaVA 1.5's connector, linear layers with an activation between each two: `mlp2x_gelu`, or any other number of layers.
 *
 * Source: Liu et al. 2023, arXiv:2310.03744; build_vision_projector.
 */
export function mlpGelu(layers: number): ConnectorSlot {
  const names = Array.from({ length: layers }, (_, i) => `linear_${i + 1}`)
  return {
    type: `mlp${layers}x_gelu`,
    params: ({ visionWidth, textWidth, bias }) =>
      Object.assign(
        {},
        ...names.map((name, i) =>
          under(name, linearSpecs(textWidth, i === 0 ? visionWidth : textWidth, bias)),
        ),
      ) as ParameterSpecs,
    create: ({ activation }, weights) => LinearStack.at(weights, names, activation),
  }
}

export const mlp = mlpGelu(2)
