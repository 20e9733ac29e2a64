/** Turns appended one after the other; boundaries fall on every remainder of 4 tokens. */
export const kvCacheCases = [
  { KV: 1, D: 16, capacity: 4, turns: [1, 1, 1, 1] },
  { KV: 2, D: 24, capacity: 33, turns: [5, 1, 7, 2, 18] },
  { KV: 3, D: 18, capacity: 12, turns: [3, 6] },
  { KV: 2, D: 64, capacity: 300, turns: [257, 1, 1, 40] },
]
