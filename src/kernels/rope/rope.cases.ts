/** T heads of D, R of it turning, first row at `position`; heads straddle the 4 of an invocation. */
export const ropeCases = [
  { T: 1, H: 1, D: 2, R: 2, position: 0, scale: 1 },
  { T: 3, H: 4, D: 24, R: 24, position: 5, scale: 1 },
  { T: 7, H: 5, D: 64, R: 64, position: 4090, scale: 1 },
  { T: 5, H: 3, D: 40, R: 16, position: 17, scale: 1 },
  { T: 2, H: 14, D: 64, R: 16, position: 131_070, scale: 1.19 },
  { T: 66, H: 2, D: 256, R: 256, position: 1000, scale: 0.9 },
  { T: 65_537, H: 1, D: 4, R: 2, position: 0, scale: 1 },
]
