import { describe, expect, test } from 'vitest'
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from './half'
import { seededRandom } from './testing/random'

const allBits = Uint16Array.from({ length: 65_536 }, (_, i) => i)

/** Floats of all magnitudes, the exact midpoints between neighbours, and the floats beside those. */
function samples(neighbours: Float32Array): Float32Array {
  const random = seededRandom(3)
  const bits = new Uint32Array(20_000).map(() => Math.floor(random() * 2 ** 32))
  const values = [...new Float32Array(bits.buffer)].filter((value) => !Number.isNaN(value))
  const finite = [...neighbours].filter(Number.isFinite).sort((a, b) => a - b)
  for (let i = 1; i < finite.length; i += 7) {
    const middle = Math.fround((finite[i - 1]! + finite[i]!) / 2)
    const next = new Float32Array([middle])
    new Uint32Array(next.buffer)[0]! += 1
    values.push(middle, next[0]!, -middle)
  }
  return Float32Array.from([...values, 0, -0, Infinity, -Infinity])
}

/**
 * The bits whose value lies nearest, even bits in a tie, found by search. Beyond the largest finite value the
 * next step of the same width stands for infinity.
 */
function nearest(value: number, table: { value: number; bits: number }[]): number {
  let low = 0
  let high = table.length - 1
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (table[middle]!.value <= value) low = middle
    else high = middle
  }
  const below = value - table[low]!.value
  const above = table[high]!.value - value
  if (below !== above) return table[below < above ? low : high]!.bits
  return table[low]!.bits % 2 === 0 ? table[low]!.bits : table[high]!.bits
}

describe.each([
  { name: 'f16', widen: f16ToF32, narrow: f32ToF16, infinity: 0x7c00, overflow: 65_536 },
  { name: 'bf16', widen: bf16ToF32, narrow: f32ToBf16, infinity: 0x7f80, overflow: 2 ** 128 },
])('$name', ({ widen, narrow, infinity, overflow }) => {
  const values = widen(allBits)
  const isNanBits = (bits: number) => (bits & 0x7fff) > infinity

  test('widening and narrowing gives every bit pattern back', () => {
    const again = narrow(values)
    const wrong = allBits.filter((bits) => !isNanBits(bits) && again[bits] !== bits)
    expect([...wrong]).toEqual([])
  })

  test('NaN stays NaN, also where only low bits tell it from infinity', () => {
    const nans = allBits.filter(isNanBits)
    expect(nans.length).toBeGreaterThan(0)
    expect(widen(nans).every(Number.isNaN)).toBe(true)
    expect(narrow(widen(nans)).every(isNanBits)).toBe(true)
    const faint = new Float32Array(new Uint32Array([0x7f800001, 0xff800001]).buffer)
    expect(narrow(faint).every(isNanBits)).toBe(true)
  })

  test('narrowing rounds to the nearest value, ties to even', () => {
    const table = [...allBits.subarray(0, infinity + 1)].map((bits) => ({
      bits,
      value: bits === infinity ? overflow : values[bits]!,
    }))
    const inputs = samples(values)
    const got = narrow(inputs)
    const wrong = [...inputs].filter((value, i) => {
      const isNegative = value < 0 || Object.is(value, -0)
      const magnitude = Math.abs(value)
      const want = magnitude >= overflow ? infinity : nearest(magnitude, table)
      return got[i] !== (isNegative ? want | 0x8000 : want)
    })
    expect(wrong).toEqual([])
  })
})

test('known values', () => {
  expect([...f16ToF32(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555))]).toEqual([
    1,
    -2,
    65_504,
    2 ** -24,
    2 ** -14,
    0.333251953125,
  ])
  expect([...f32ToF16(Float32Array.of(65_519, 65_520, 2 ** -25, 1.0001 * 2 ** -25))]).toEqual([
    0x7bff, 0x7c00, 0, 1,
  ])
  expect([...bf16ToF32(Uint16Array.of(0x3f80, 0xc000, 0x4049))]).toEqual([1, -2, 3.140625])
  expect([...f32ToBf16(Float32Array.of(1.00390625, 1.01171875))]).toEqual([0x3f80, 0x3f82])
})
