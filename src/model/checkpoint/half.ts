/**
 * 16-bit floats as bits, to and from f32. Widening is exact; narrowing rounds to nearest, ties to even, as
 * PyTorch does. NaN stays NaN.
 */

const scratch = new DataView(new ArrayBuffer(4))

/** Widens bfloat16 bits. */
export function bf16ToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(bits.length)
  const outBits = new Uint32Array(out.buffer)
  for (let i = 0; i < bits.length; i++) outBits[i] = bits[i]! << 16
  return out
}

/** Rounds to bfloat16 bits. Values above the largest finite one become infinite. */
export function f32ToBf16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) out[i] = roundToBf16(bitsOf(values[i]!))
  return out
}

/** Widens IEEE half-precision bits. */
export function f16ToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) out[i] = widenF16(bits[i]!)
  return out
}

/** Rounds to IEEE half-precision bits. From 65520 on values become infinite. */
export function f32ToF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) out[i] = roundToF16(bitsOf(values[i]!))
  return out
}

function bitsOf(value: number): number {
  scratch.setFloat32(0, value)
  return scratch.getUint32(0)
}

function roundToBf16(bits: number): number {
  const isNan = (bits & 0x7fffffff) > 0x7f800000
  // A NaN whose payload sits in the low half would be cut to an infinity: set the quiet bit.
  if (isNan) return (bits >>> 16) | 0x0040
  const lowestKept = (bits >>> 16) & 1
  return ((bits + 0x7fff + lowestKept) >>> 16) & 0xffff
}

function widenF16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

function roundToF16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const exponent = (bits >>> 23) & 0xff
  const fraction = bits & 0x7fffff
  if (exponent === 0xff) return sign | 0x7c00 | (fraction ? 0x200 | (fraction >>> 13) : 0)
  // Below half of the smallest subnormal, 2^-25, and exactly there by the tie to even, there is only zero.
  if (exponent < 102) return sign
  // In the normal range 13 bits of the fraction go; below it the leading one moves into the fraction too.
  const isNormal = exponent >= 113
  const kept = isNormal ? ((exponent - 112) << 23) | fraction : 0x800000 | fraction
  const shift = isNormal ? 13 : 126 - exponent
  const whole = kept >>> shift
  const rest = kept & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  const rounded = whole + (rest > half || (rest === half && (whole & 1) === 1) ? 1 : 0)
  // The carry of a rounded fraction runs into the exponent, as it should; past 0x7bff lies infinity.
  return sign | Math.min(rounded, 0x7c00)
}
