/** Parts as [rows, columns]: one, several, repeated rows; on and off whole quads; over 65,535 rows. */
export const concatCases = [
  { parts: [[1, 1]] },
  {
    parts: [
      [5, 4],
      [5, 8],
      [1, 12],
    ],
  },
  {
    parts: [
      [1, 3],
      [7, 4],
      [7, 1],
      [1, 8],
      [7, 257],
    ],
  },
  {
    parts: [
      [1, 4],
      [1, 8],
    ],
  },
  {
    parts: [
      [3, 4099],
      [3, 1024],
    ],
  },
  {
    parts: [
      [65_537, 4],
      [1, 4],
    ],
  },
  {
    parts: [
      [1, 2],
      [65_537, 1],
    ],
  },
] as const satisfies readonly { parts: readonly (readonly [number, number])[] }[]
