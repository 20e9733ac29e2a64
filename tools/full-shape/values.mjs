// Values of tensors, a few megabytes at a time.

/**
 * Where a tensor's values come from: `normal` around 0 with this standard deviation, or one constant.
 * @typedef {{ normal: number } | { constant: number }} Values
 * @typedef {{ name: string, shape: number[], values: Values }} TensorPlan
 * @typedef {'F16' | 'F32'} Dtype
 */

export const ONE = { constant: 1 }
export const ZERO = { constant: 0 }

/** Bytes of an element. @type {Record<Dtype, number>} */
export const ELEMENT_BYTES = { F16: 2, F32: 4 }

/** @param {{ shape: number[] }} plan */
export const elements = ({ shape }) => shape.reduce((product, size) => product * size, 1)

/** Elements of a pool of random numbers; a prime, so that rows of no width repeat with its period. */
const POOL = 1_048_573
/** Elements made at a time. */
const PIECE = 1 << 19
/** Pieces start anywhere in the pool and run this far, so that equal stretches never line up. */
const RUN = 4099

/** Random values that are the same on every machine, for as many tensors as there are. */
export class ValueSource {
  /** @type {Map<string, Uint16Array | Float32Array>} */
  #pools = new Map()
  #random = generator(20_261_120)
  /** @type {Float32Array | undefined} */
  #normal;

  /**
   * The bytes of a tensor in pieces, each on the same memory as the one before.
   * @param {TensorPlan} plan
   * @param {Dtype} dtype
   * @returns {Generator<Uint8Array>}
   */
  *bytes(plan, dtype) {
    const piece = dtype === 'F16' ? new Uint16Array(PIECE) : new Float32Array(PIECE)
    for (let left = elements(plan); left > 0; left -= PIECE) {
      const part = piece.subarray(0, Math.min(left, PIECE))
      this.#fill(part, plan.values)
      yield new Uint8Array(part.buffer, 0, part.byteLength)
    }
  }

  /** @param {Uint16Array | Float32Array} part @param {Values} values */
  #fill(part, values) {
    const isHalf = part instanceof Uint16Array
    if ('constant' in values) {
      part.fill(isHalf ? halfBits(values.constant) : values.constant)
      return
    }
    const pool = this.#pool(values.normal, isHalf)
    for (let at = 0; at < part.length; at += RUN) {
      const count = Math.min(RUN, part.length - at)
      const from = Math.floor(this.#random() * (POOL - count))
      part.set(pool.subarray(from, from + count), at)
    }
  }

  /** @param {number} deviation @param {boolean} isHalf */
  #pool(deviation, isHalf) {
    const key = `${deviation} ${isHalf}`
    let pool = this.#pools.get(key)
    if (!pool) {
      const normal = (this.#normal ??= this.#normals())
      pool = isHalf ? new Uint16Array(POOL) : new Float32Array(POOL)
      for (let i = 0; i < POOL; i++) {
        const value = deviation * (normal[i] ?? 0)
        pool[i] = isHalf ? halfBits(value) : value
      }
      this.#pools.set(key, pool)
    }
    return pool
  }

  #normals() {
    const values = new Float32Array(POOL)
    for (let i = 0; i < POOL; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(1 - this.#random()))
      const angle = 2 * Math.PI * this.#random()
      values[i] = radius * Math.cos(angle)
      values[i + 1] = radius * Math.sin(angle)
    }
    return values
  }
}

const scratch = new Float32Array(1)
const scratchBits = new Uint32Array(scratch.buffer)

/**
 * The bits of the nearest half; beyond its range infinity, and ties go away from zero.
 * @param {number} value
 */
export function halfBits(value) {
  scratch[0] = value
  const bits = scratchBits[0] ?? 0
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 255) - 112
  if (exponent >= 31) return sign | 0x7c00
  if (exponent <= 0) return sign | Math.round(Math.abs(value) * 2 ** 24)
  return sign | (((exponent << 10) | ((bits >>> 13) & 0x3ff)) + ((bits >>> 12) & 1))
}

/** mulberry32: the same numbers on every machine. @param {number} seed */
function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
