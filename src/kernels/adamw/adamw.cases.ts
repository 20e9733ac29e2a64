/** Layouts: on and off whole quads, rows padded to 32 as weights have them, vectors, around a workgroup's 256 lanes. */
export const adamwCases = [
  { rows: 1, C: 1, stride: 1 },
  { rows: 1, C: 1023, stride: 1023 },
  { rows: 1, C: 1028, stride: 1028 },
  { rows: 5, C: 33, stride: 64 },
  { rows: 7, C: 36, stride: 64 },
  { rows: 3, C: 64, stride: 64 },
  { rows: 3, C: 4, stride: 5 },
  { rows: 2000, C: 3, stride: 32 },
  { rows: 300, C: 588, stride: 608 },
]
