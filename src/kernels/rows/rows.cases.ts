/** Dropping a class token, the last row, nothing, everything; widths on and off whole quads; over 65,535 rows. */
export const takeRowsCases = [
  { batch: 1, n: 1, start: 0, count: 1, C: 1 },
  { batch: 3, n: 17, start: 1, count: 16, C: 36 },
  { batch: 2, n: 10, start: 9, count: 1, C: 1028 },
  { batch: 2, n: 5, start: 1, count: 3, C: 333 },
  { batch: 2, n: 5, start: 5, count: 0, C: 8 },
  { batch: 1, n: 2, start: 1, count: 1, C: 4099 },
  { batch: 2, n: 40_000, start: 1, count: 39_999, C: 3 },
]

export const gatherRowsCases = [
  { N: 1, R: 1, C: 1 },
  { N: 5, R: 9, C: 33 },
  { N: 5, R: 9, C: 1028 },
  { N: 4, R: 2, C: 4099 },
  { N: 70_000, R: 65_537, C: 4 },
]
