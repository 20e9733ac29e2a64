import { BLOCK } from '../weight'

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

/** The f16 nearest to a number, ties to even, as its 16 bits; overflow saturates at 65504. */
export function halfBitsRef(value: number): number {
  if (Number.isNaN(value)) return 0x7e00
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const magnitude = Math.min(Math.abs(value), 65504)
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)))
  const steps = roundToEven(magnitude / 2 ** (exponent - 10))
  // A mantissa that rounds up to 2048 carries into the exponent by itself.
  return sign | (steps < 1024 ? steps : ((exponent + 14) << 10) + steps)
}

/** The number that 16 f16 bits stand for. */
export function halfValueRef(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 31
  const mantissa = half & 1023
  if (exponent === 31) return mantissa ? NaN : sign * Infinity
  return exponent ? sign * (1024 + mantissa) * 2 ** (exponent - 25) : sign * mantissa * 2 ** -24
}

/** The upper half of an f32: what a bf16 checkpoint holds (cut, not rounded; only used to make test data). */
export function bf16BitsRef(value: number): number {
  float[0] = value
  return bits[0]! >>> 16
}

export function bf16ValueRef(half: number): number {
  bits[0] = half << 16
  return float[0]!
}

/** Quantised rows: codes [rows, stride] and per block of 32 a scale and an offset, w = q * scale + offset. */
export interface QuantisedRef {
  readonly codes: Int32Array
  readonly scales: Float64Array
  readonly offsets: Float64Array
}

/** Symmetric 8-bit: scale = max|w| / 127. */
export function quantiseQ8Ref(w: ArrayLike<number>, rows: number, K: number): QuantisedRef {
  return quantise(w, rows, K, (block) => {
    const scale = Math.max(...block.map(Math.abs)) / 127
    return { scale, offset: 0, code: (value) => (scale ? roundToEven(value / scale) : 0) }
  })
}

/** Affine 4-bit: scale = (max - min) / 15, both as f16 before any code is chosen. */
export function quantiseQ4Ref(w: ArrayLike<number>, rows: number, K: number): QuantisedRef {
  return quantise(w, rows, K, (block) => {
    const offset = halfValueRef(halfBitsRef(Math.min(...block)))
    const scale = halfValueRef(halfBitsRef(Math.max(Math.max(...block) - offset, 0) / 15))
    const code = (value: number) =>
      scale ? Math.min(15, Math.max(0, roundToEven((value - offset) / scale))) : 0
    return { scale, offset, code }
  })
}

function quantise(
  w: ArrayLike<number>,
  rows: number,
  K: number,
  fit: (block: number[]) => { scale: number; offset: number; code: (value: number) => number },
): QuantisedRef {
  const blocks = Math.ceil(K / BLOCK)
  const codes = new Int32Array(rows * blocks * BLOCK)
  const scales = new Float64Array(rows * blocks)
  const offsets = new Float64Array(rows * blocks)
  for (let r = 0; r < rows; r++) {
    for (let b = 0; b < blocks; b++) {
      const block: number[] = []
      for (let k = b * BLOCK; k < Math.min(K, (b + 1) * BLOCK); k++) block.push(w[r * K + k]!)
      const { scale, offset, code } = fit(block)
      scales[r * blocks + b] = scale
      offsets[r * blocks + b] = offset
      block.forEach((value, i) => (codes[(r * blocks + b) * BLOCK + i] = code(value)))
    }
  }
  return { codes, scales, offsets }
}

/** The values that quantised rows stand for, padding left out. */
export function dequantiseRef(
  { codes, scales, offsets }: QuantisedRef,
  rows: number,
  K: number,
): Float64Array {
  const blocks = Math.ceil(K / BLOCK)
  return Float64Array.from({ length: rows * K }, (_, i) => {
    const row = Math.floor(i / K)
    const block = row * blocks + Math.floor((i % K) / BLOCK)
    return codes[row * blocks * BLOCK + (i % K)]! * scales[block]! + offsets[block]!
  })
}

function roundToEven(value: number): number {
  const down = Math.floor(value)
  const rest = value - down
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down
}
