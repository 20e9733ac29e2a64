import type { Activation } from '../activation-kinds'

export const activationKinds: readonly Activation[] = ['none', 'gelu', 'gelu_tanh', 'quick_gelu', 'silu']

/** Counts around whole quads and whole workgroups (256 quads), and more than 65,535 rows. */
export const activationCases: readonly (readonly number[])[] = [
  [1],
  [1023],
  [4, 256],
  [5, 205],
  [4099],
  [65_537, 3],
]
