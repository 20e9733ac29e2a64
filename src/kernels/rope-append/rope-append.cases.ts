/** Turns put into a cache one after the other; heads straddle the 4 of an invocation, boundaries every remainder of 4. */
export const ropeAppendCases = [
  { H: 1, KV: 1, D: 16, R: 16, capacity: 4, scale: 1, turns: [1, 1, 1, 1] },
  { H: 5, KV: 2, D: 24, R: 16, capacity: 33, scale: 1.19, turns: [5, 1, 7, 2, 18] },
  { H: 6, KV: 3, D: 18, R: 18, capacity: 12, scale: 1, turns: [3, 6] },
  { H: 14, KV: 2, D: 64, R: 64, capacity: 300, scale: 1, turns: [257, 1, 1, 40] },
]
