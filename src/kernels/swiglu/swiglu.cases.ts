/** Widths around whole quads and workgroups; the last two have more than 65,535 rows. */
export const swigluCases = [
  { T: 1, F: 1 },
  { T: 3, F: 341 },
  { T: 4, F: 256 },
  { T: 5, F: 1028 },
  { T: 1, F: 4099 },
  { T: 65_537, F: 2 },
  { T: 65_537, F: 4 },
]

export const gateKinds = ['silu', 'gelu_tanh'] as const
