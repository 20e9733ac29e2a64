const size = (height: number, width: number) => ({ height, width })

/**
 * One cell; the same size; up, down and both at once; steps of torch's scale_factor, one of which reaches past the last
 * cell; widths on and off whole quads; over 65,535 rows both ways.
 */
export const resampleCases = [
  { batch: 1, from: size(1, 1), to: size(3, 2), C: 1 },
  { batch: 2, from: size(5, 4), to: size(5, 4), C: 12 },
  { batch: 2, from: size(27, 27), to: size(24, 24), C: 6 },
  { batch: 1, from: size(8, 8), to: size(24, 24), C: 36 },
  { batch: 1, from: size(7, 16), to: size(11, 3), C: 33 },
  { batch: 3, from: size(4, 6), to: size(2, 9), C: 1028 },
  { batch: 1, from: size(37, 37), to: size(27, 27), step: { y: 37 / 27.1, x: 37 / 27.1 }, C: 8 },
  { batch: 1, from: size(8, 8), to: size(7, 9), step: { y: 8 / 7.1, x: 8 / 9.1 }, C: 5 },
  { batch: 2, from: size(6, 5), to: size(4, 3), step: { y: 2, x: 2.5 }, C: 4 },
  { batch: 1, from: size(2, 3), to: size(2, 2), C: 4099 },
  { batch: 2, from: size(90, 91), to: size(181, 182), C: 2 },
  { batch: 1, from: size(257, 257), to: size(61, 64), C: 4 },
]
