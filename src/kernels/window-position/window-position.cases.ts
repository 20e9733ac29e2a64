/** One window, one cell a window, several; widths around 32 Vecs of columns; over 65,535 rows. */
export const windowPositionCases = [
  { batch: 1, side: 1, window: 1, C: 1 },
  { batch: 1, side: 3, window: 3, C: 33 },
  { batch: 2, side: 6, window: 1, C: 12 },
  { batch: 1, side: 12, window: 4, C: 128 },
  { batch: 3, side: 6, window: 2, C: 132 },
  { batch: 1, side: 2, window: 2, C: 4099 },
  { batch: 1, side: 260, window: 4, C: 3 },
  { batch: 2, side: 184, window: 2, C: 4 },
]
