/** 90 = 6 * 14 + 6 and 50 = 3 * 14 + 8 leave a remainder; wide and tall; the last has more than 65,535 patches. */
export const patchifyCases = [
  { pixels: [1, 3, 2, 2], P: 2 },
  { pixels: [2, 3, 90, 50], P: 14 },
  { pixels: [1, 3, 32, 48], P: 16 },
  { pixels: [1, 1, 5, 9], P: 1 },
  { pixels: [1, 1, 257, 513], P: 1 },
] as const satisfies readonly { pixels: readonly [number, number, number, number]; P: number }[]

/** Blocks that fill the map and that leave a remainder; single cells; over 65,535 rows. */
export const spaceToDepthCases = [
  { batch: 1, height: 1, width: 1, block: 1, C: 1 },
  { batch: 1, height: 4, width: 6, block: 2, C: 96 },
  { batch: 2, height: 5, width: 7, block: 2, C: 13 },
  { batch: 3, height: 11, width: 9, block: 4, C: 5 },
  { batch: 1, height: 3, width: 4, block: 3, C: 4099 },
  { batch: 2, height: 258, width: 257, block: 1, C: 2 },
  { batch: 1, height: 512, width: 515, block: 2, C: 1 },
  { batch: 2, height: 5, width: 6, block: 2, C: 4099 },
  { batch: 1, height: 771, width: 770, block: 3, C: 1 },
]

export const embedPatchesCases = [
  { B: 1, n: 1, C: 1 },
  { B: 2, n: 9, C: 33 },
  { B: 3, n: 16, C: 36 },
  { B: 1, n: 2, C: 4099 },
  { B: 2, n: 4, C: 1028 },
  { B: 3, n: 22_000, C: 2 },
]
