/**
 * A number in [0, 1) that depends on the seed and the step alone, so that equal seeds give equal replies however the
 * steps are batched. 24 bits, exact in f32.
 *
 * Source: Jarzynski & Olano 2020, "Hash Functions for GPU Rendering", JCGT 9(3), pcg3d.
 */
export function uniformAt(seed: number, step: number): number {
  let x = lcg(seed)
  let y = lcg(step)
  let z = lcg(Math.floor(seed / 2 ** 32))
  for (let round = 0; round < 2; round++) {
    x = (x + Math.imul(y, z)) >>> 0
    y = (y + Math.imul(z, x)) >>> 0
    z = (z + Math.imul(x, y)) >>> 0
    if (round === 0) {
      x = (x ^ (x >>> 16)) >>> 0
      y = (y ^ (y >>> 16)) >>> 0
      z = (z ^ (z >>> 16)) >>> 0
    }
  }
  return (x >>> 8) / 2 ** 24
}

const lcg = (word: number) => (Math.imul(word >>> 0, 1664525) + 1013904223) >>> 0
