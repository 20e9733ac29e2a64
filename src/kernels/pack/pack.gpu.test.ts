import { describe, expect, test } from 'vitest'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded, shaped } from '../testing/numbers'
import { destroyWeight, type Weight } from '../weight'
import { packRows, unpackRows, widen } from './pack'
import { conversions, packCases } from './pack.cases'
import { dequantiseRef, halfBitsRef, halfValueRef, quantiseQ4Ref, quantiseQ8Ref } from './pack.ref'
import { asWords, emptyWeight, heldAs, rawBytes } from './pack.testing'

/** Packs values into a weight in two calls that split the rows unevenly, and reads the weight back. */
async function packed(
  values: ArrayLike<number>,
  { rows, K, skip }: { rows: number; K: number; skip: number },
  { from, to }: (typeof conversions)[number],
  partRows?: number,
): Promise<Float32Array> {
  const gpu = await testGpu()
  const raw = rawBytes(values, from, skip)
  let weight: Weight | undefined
  try {
    const { out } = await onGpu({ raw }, (enc, t) => {
      weight = emptyWeight(gpu, rows, K, to, partRows)
      const first = Math.floor(rows / 3)
      const rest = { rowStart: first, rows: rows - first, dtype: from, rawStart: skip + first * K }
      packRows(enc, weight, asWords(t.raw), rest)
      if (first)
        packRows(enc, weight, asWords(t.raw), { rowStart: 0, rows: first, dtype: from, rawStart: skip })
      return { out: unpackRows(enc, weight) }
    })
    return out
  } finally {
    if (weight) destroyWeight(gpu, weight)
  }
}

/**
 * Entries that differ from the oracle by more than f32 rounding may only be codes at a tie between two steps, or (q4)
 * belong to a scale at a tie between two f16 numbers, which moves the values by 15/1024 of a step at most.
 */
function expectQuantised(
  got: Float32Array,
  want: Float64Array,
  held: ArrayLike<number>,
  step: number,
  slack: number,
) {
  let ties = 0
  for (let i = 0; i < want.length; i++) {
    if (Math.abs(got[i]! - want[i]!) <= 1e-5 * Math.abs(want[i]!) + 1e-6 * step) continue
    ties++
    const excess = Math.abs(got[i]! - held[i]!) - Math.abs(want[i]! - held[i]!)
    expect(excess).toBeLessThan(slack * step)
  }
  expect(ties).toBeLessThanOrEqual(want.length * 1e-3)
}

describe('pack', () => {
  describe.each(conversions)('$from to $to', (conversion) => {
    const { from, to } = conversion
    test.each(packCases)('[$rows, $K] from element $skip', async (shape) => {
      const { w } = seeded({ w: [shape.rows, shape.K] }, 7)
      const held = Float64Array.from(w, (value) => heldAs(from, value))
      const got = await packed(w, shape, conversion)
      if (to === 'q8' || to === 'q4') {
        const oracle = (to === 'q8' ? quantiseQ8Ref : quantiseQ4Ref)(held, shape.rows, shape.K)
        const want = dequantiseRef(oracle, shape.rows, shape.K)
        if (to === 'q8') expectQuantised(got, want, held, 0.03, 1e-4)
        else expectQuantised(got, want, held, 0.3, 15 / 1024)
      } else {
        // Exact: the same f16 or the same f32.
        expect(got).toEqual(Float32Array.from(held, (value) => (to === 'f16' ? heldAs('f16', value) : value)))
      }
    })
  })

  test.each(['f32', 'f16', 'q8', 'q4'] as const)('rows straddle parts (%s)', async (to) => {
    const shape = { rows: 300, K: 70, skip: 0 }
    const { w } = seeded({ w: [300, 70] })
    const whole = await packed(w, shape, { from: 'f32', to })
    expect(await packed(w, shape, { from: 'f32', to }, 64)).toEqual(whole)
  })

  test('a row range is unpacked alone', async () => {
    const gpu = await testGpu()
    const { w } = seeded({ w: [200, 40] })
    const weight = emptyWeight(gpu, 200, 40, 'f32', 64)
    const { out } = await onGpu({ w }, (enc, t) => {
      packRows(enc, weight, asWords(t.w), { rowStart: 0, rows: 200, dtype: 'f32' })
      return { out: unpackRows(enc, weight, 60, 77) }
    })
    destroyWeight(gpu, weight)
    expect(out).toEqual(w.slice(60 * 40, 137 * 40))
  })

  test('f16 edges: ties, subnormals, saturation, signed zero, NaN', async () => {
    const edges = [2049, 2051, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 65504, 65519, 65520, 1e30, Infinity, -Infinity]
    edges.push(
      2 ** -14,
      2 ** -15,
      2 ** -24,
      2 ** -25,
      1.5 * 2 ** -24,
      2.5 * 2 ** -24,
      2 ** -14 - 2 ** -25,
      -0,
    )
    const values = Float32Array.from([...edges, ...edges.map((x) => -x), 1e-39, 0, NaN])
    const got = await packed(values, { rows: 1, K: values.length, skip: 0 }, { from: 'f32', to: 'f16' })
    expect(got).toEqual(Float32Array.from(values, (value) => halfValueRef(halfBitsRef(value))))
  })

  test.each(['q8', 'q4'] as const)('constant, zero and tiny blocks survive %s', async (to) => {
    const values = new Float32Array(5 * 32)
    values.fill(0.375, 32, 64)
    values.fill(-3, 64, 96)
    values.fill(1e-38, 96, 128)
    for (let i = 128; i < 160; i++) values[i] = (i - 144) * 1e-5
    const got = await packed(values, { rows: 5, K: 32, skip: 0 }, { from: 'f32', to })
    for (let i = 0; i < 128; i++) expect(Math.abs(got[i]! - values[i]!)).toBeLessThanOrEqual(3e-7)
    for (let i = 128; i < 160; i++) expect(Math.abs(got[i]! - values[i]!)).toBeLessThan(1.2e-5)
  })

  test.each(['f32', 'f16', 'bf16'] as const)('widens 1-D %s data exactly', async (dtype) => {
    const { v } = seeded({ v: [4099] })
    const raw = rawBytes(v, dtype, 3)
    const { out } = await onGpu({ raw }, (enc, t) => {
      const out = enc.temp([4099])
      widen(enc, asWords(t.raw), dtype, 4099, out, 3)
      return { out }
    })
    expect(out).toEqual(Float32Array.from(v, (value) => heldAs(dtype, value)))
  })

  test('refuses rows out of range, short bytes and f32 into bf16', async () => {
    const gpu = await testGpu()
    const weight = emptyWeight(gpu, 4, 8, 'f32')
    const narrow = emptyWeight(gpu, 4, 8, 'bf16')
    const raw = shaped(new Float32Array(16), [16])
    const pack = (to: Weight, rowStart: number, rows: number) =>
      onGpu({ raw }, (enc, t) => {
        packRows(enc, to, asWords(t.raw), { rowStart, rows, dtype: 'f32' })
        return {}
      })
    await expect(pack(weight, 3, 2)).rejects.toThrow('pack: w has 4 rows, rows 3 to 5 were to be packed')
    await expect(pack(weight, 0, 4)).rejects.toThrow('pack: raw should be u32 with 32 words')
    await expect(pack(narrow, 0, 1)).rejects.toThrow('pack: w is bf16 and takes bf16 rows alone')
    destroyWeight(gpu, weight)
    destroyWeight(gpu, narrow)
  })
})
