/** Maps smaller than the kernel; widths around a lane's strip of 4; C off whole quads; over 65,535 rows. */
export const depthwiseConvCases = [
  { batch: 1, height: 1, width: 1, kernel: 7, C: 1 },
  { batch: 2, height: 3, width: 5, kernel: 7, C: 12 },
  { batch: 1, height: 9, width: 7, kernel: 7, C: 36 },
  { batch: 1, height: 8, width: 8, kernel: 7, C: 260 },
  { batch: 2, height: 4, width: 9, kernel: 7, C: 33 },
  { batch: 1, height: 2, width: 17, kernel: 3, C: 4100 },
  { batch: 3, height: 5, width: 6, kernel: 1, C: 8 },
  { batch: 1, height: 6, width: 4, kernel: 5, C: 6 },
  { batch: 2, height: 257, width: 129, kernel: 3, C: 4 },
]
