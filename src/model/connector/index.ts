import type { ConnectorSlot } from './definition'

/** Connectors by the field's names (`mm_projector_type`). */
export const connectors = {
  linear: () => import('./linear').then((module) => module.linear),
  mlp2x_gelu: () => import('./mlp').then((module) => module.mlp),
} satisfies Record<string, () => Promise<ConnectorSlot>>
