import { lookUp } from '../registry'
import type { ConnectorSlot } from './definition'

/** Connectors of rows by the field's names (`mm_projector_type`). */
export const connectors = {
  linear: () => import('./linear').then((module) => module.linear),
  mlp2x_gelu: () => import('./mlp').then((module) => module.mlp),
  identity: () => import('./identity').then((module) => module.identity),
} satisfies Record<string, () => Promise<ConnectorSlot>>

/**
 * The connector of rows of a name, `mlpNx_gelu` for every N among them.
 *
 * Throws: ConfigError naming those known.
 */
export async function rowConnector(type: string): Promise<ConnectorSlot> {
  const layers = /^mlp([1-9]\d?)x_gelu$/.exec(type)?.[1]
  if (layers !== undefined && !Object.hasOwn(connectors, type)) {
    return (await import('./mlp')).mlpGelu(Number(layers))
  }
  return lookUp(connectors, 'mm_projector_type', type)
}
