/** Counts around whole quads and workgroups; b equal, without one leading axis, without two; over 65,535 rows. */
export const addCases = [
  { a: [1], b: [1] },
  { a: [3, 341], b: [3, 341] },
  { a: [4, 256], b: [4, 256] },
  { a: [2, 5, 103], b: [5, 103] },
  { a: [3, 7, 12], b: [7, 12] },
  { a: [3, 7, 12], b: [12] },
  { a: [2, 2, 3], b: [3] },
  { a: [65_537, 3], b: [3] },
  { a: [65_537, 4], b: [4] },
]
