/** 90 = 6 * 14 + 6 and 50 = 3 * 14 + 8 leave a remainder; wide and tall; the last has more than 65,535 patches. */
export const patchifyCases = [
  { pixels: [1, 3, 2, 2], P: 2 },
  { pixels: [2, 3, 90, 50], P: 14 },
  { pixels: [1, 3, 32, 48], P: 16 },
  { pixels: [1, 1, 5, 9], P: 1 },
  { pixels: [1, 1, 257, 513], P: 1 },
] as const satisfies readonly { pixels: readonly [number, number, number, number]; P: number }[]

export const embedPatchesCases = [
  { B: 1, n: 1, C: 1 },
  { B: 2, n: 9, C: 33 },
  { B: 3, n: 16, C: 36 },
  { B: 1, n: 2, C: 4099 },
  { B: 2, n: 4, C: 1028 },
  { B: 3, n: 22_000, C: 2 },
]
