/**
 * The one source of chance in training: small, seeded, the same on every machine.
 *
 * Each use (the order of an epoch, the held-out rows, a parameter of a new connector) draws from a stream of its own,
 * named by a string, so that none depends on how much another has drawn.
 *
 * Source: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021), seeded through
 * splitmix32 with the finalizer of MurmurHash3.
 */
export class Random {
  private readonly state: Uint32Array
  private spare: number | undefined

  /**
   * Units: `seed` is an integer from 0 to 2^32 - 1. Two different names give unrelated streams of the same seed.
   */
  constructor(seed: number, stream: string) {
    let at = mix(seed) ^ hash(stream)
    this.state = Uint32Array.from({ length: 4 }, () => {
      at = (at + 0x9e3779b9) >>> 0
      return mix(at)
    })
    // splitmix32 visits each value once: of four in a row at most one is 0, and the state is never all zeros.
  }

  /** A whole number from 0 to 2^32 - 1. */
  next(): number {
    return nextOf(this.state)
  }

  /** A number in [0, 1) of 24 bits, as PyTorch draws f32: it stays below 1 when it is stored as f32. */
  uniform(): number {
    return (this.next() >>> 8) * 2 ** -24
  }

  /**
   * A number of the normal distribution with mean 0 and deviation 1.
   *
   * Source: Box and Muller 1958; both numbers of a pair are given.
   */
  normal(): number {
    if (this.spare !== undefined) {
      const value = this.spare
      this.spare = undefined
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** A whole number from 0 to `n` - 1, each equally likely: draws past the last whole multiple of `n` are drawn again. */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new RangeError(
        `random: n should be a whole number from 1 to 2^32 but is ${n}; check what is drawn from`,
      )
    }
    const end = 2 ** 32 - (2 ** 32 % n)
    for (;;) {
      const value = this.next()
      if (value < end) return value % n
    }
  }

  /** Shuffles in place; every order is equally likely. Source: Fisher-Yates, from the end. */
  shuffle(items: Uint32Array): Uint32Array {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      const item = items[last]!
      items[last] = items[other]!
      items[other] = item
    }
    return items
  }
}

/** Seeds for parameters of a new connector: `count` numbers of the normal distribution. */
export function randomNormals(
  seed: number,
  stream: string,
  count: number,
  deviation = 1,
): Float32Array<ArrayBuffer> {
  const random = new Random(seed, stream)
  return Float32Array.from({ length: count }, () => deviation * random.normal())
}

/** Seeds for parameters of a new connector: `count` numbers, evenly spread over [low, high). */
export function randomUniform(
  seed: number,
  stream: string,
  count: number,
  low = 0,
  high = 1,
): Float32Array<ArrayBuffer> {
  const random = new Random(seed, stream)
  return Float32Array.from({ length: count }, () => low + (high - low) * random.uniform())
}

/** One step of xoshiro128** over four words that are not all 0. */
export function nextOf(state: Uint32Array): number {
  const [a, b, c, d] = state as unknown as [number, number, number, number]
  const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
  const third = c ^ a
  const fourth = d ^ b
  state[1] = b ^ third
  state[0] = a ^ fourth
  state[2] = third ^ (b << 9)
  state[3] = rotate(fourth, 11)
  return result
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits))
}

/** Finalizer of MurmurHash3: every bit of the input moves every bit of the output. */
function mix(x: number): number {
  let h = x | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** FNV-1a over the UTF-16 units, then mixed. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return mix(h)
}
