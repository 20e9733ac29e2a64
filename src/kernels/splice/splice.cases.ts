/** Widths on and off whole quads; more rows than tokens leaves some places beyond them; over 65,535 rows. */
export const spliceCases = [
  { T: 1, R: 1, C: 1 },
  { T: 9, R: 4, C: 33 },
  { T: 20, R: 7, C: 1028 },
  { T: 5, R: 8, C: 64 },
  { T: 3, R: 2, C: 4099 },
  { T: 70_000, R: 65_537, C: 2 },
  { T: 66_000, R: 65_537, C: 4 },
]

/** Distinct places in shuffled order: a step coprime to the range visits each once. */
export function placesOf({ T, R }: { T: number; R: number }): Uint32Array<ArrayBuffer> {
  const range = Math.max(T, R)
  let step = Math.floor(range * 0.618) | 1
  while (gcd(step, range) > 1) step += 2
  return Uint32Array.from({ length: R }, (_, r) => (r * step + 1) % range)
}

const gcd = (a: number, b: number): number => (b ? gcd(b, a % b) : a)
