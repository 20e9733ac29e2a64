import { ConfigError } from '../errors'
import type { ConnectorSlot } from './definition'

/** Connectors of rows by the field's names (`mm_projector_type`). */
export const connectors = {
  linear: () => import('./linear').then((module) => module.linear),
  mlp2x_gelu: () => import('./mlp').then((module) => module.mlp),
  identity: () => import('./identity').then((module) => module.identity),
} satisfies Record<string, () => Promise<ConnectorSlot>>

/**
 * The connector of rows of a name; `mlpNx_gelu` for N from 1 to 99.
 *
 * Throws: ConfigError naming those known.
 */
export async function rowConnector(type: string): Promise<ConnectorSlot> {
  const registry: Readonly<Record<string, () => Promise<ConnectorSlot>>> = connectors
  if (Object.hasOwn(registry, type)) return registry[type]!()
  const layers = /^mlp([1-9]\d?)x_gelu$/.exec(type)?.[1]
  if (layers !== undefined) return (await import('./mlp')).mlpGelu(Number(layers))
  throw new ConfigError(
    `config.json: mm_projector_type "${type}" is not known; known are ${Object.keys(registry).join(', ')} and ` +
      'mlpNx_gelu with other numbers. Choose another checkpoint.',
  )
}
