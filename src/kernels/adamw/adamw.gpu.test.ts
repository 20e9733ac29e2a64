import { describe, expect, test } from 'vitest'
import type { Encoder } from '../gpu/encoder'
import { elementCount, type Tensor } from '../tensor'
import { onGpu, testGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded, shaped, type Shaped } from '../testing/numbers'
import { createWeight, destroyWeight } from '../weight'
import { adamwStep, type AdamwOptions } from './adamw'
import { adamwCases } from './adamw.cases'
import { adamwRef, type AdamwState } from './adamw.ref'

type Options = Omit<AdamwOptions, 'step'>

const usual: Options = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 }

/** Norm, scale and permission to step, as gradientNorm tells them. */
const clipOf = (scale: number, isFinite = true) =>
  shaped(Float32Array.of(isFinite ? 1 : NaN, isFinite ? scale : 0, isFinite ? 1 : 0, 0), [4])

/** The entries that count of rows that are `stride` apart. */
function unpadded(x: ArrayLike<number>, C: number, stride: number): Float64Array {
  const rows = x.length / stride
  return Float64Array.from({ length: rows * C }, (_, i) => x[Math.floor(i / C) * stride + (i % C)]!)
}

const byIndex = (items: readonly Shaped[]): Record<string, Shaped> => Object.fromEntries(items.entries())

/** Steps on the GPU and in float64. */
async function run(
  weight: Shaped,
  gradients: readonly Shaped[],
  options: Options,
  scale = 1,
  record = (run: () => void, _: Encoder) => run(),
) {
  const { shape } = gradients[0]!
  const [C, stride] = [shape.at(-1)!, weight.shape.at(-1)!]
  const zeros = () => shaped(new Float32Array(elementCount(shape)), shape)
  const clip = clipOf(scale)
  const inputs: Record<string, Shaped> = { ...byIndex(gradients), weight, clip, m: zeros(), v: zeros() }
  const got = await onGpu(inputs, (enc, t) => {
    const { weight, m, v, clip } = t as { [name in 'weight' | 'm' | 'v' | 'clip']: Tensor }
    record(() => {
      gradients.forEach((_, i) =>
        adamwStep(enc, { weight, gradient: t[i]!, m, v, clip }, { ...options, step: i + 1 }),
      )
    }, enc)
    return { weight, m, v }
  })
  const want: AdamwState = {
    weight: unpadded(weight, C, stride),
    m: new Float64Array(elementCount(shape)),
    v: new Float64Array(elementCount(shape)),
  }
  gradients.forEach((gradient, i) => adamwRef(want, gradient, { ...options, step: i + 1 }, clip[1]))
  return { got: { ...got, weight: unpadded(got.weight, C, stride), padded: got.weight }, want }
}

function expectClose({ got, want }: Awaited<ReturnType<typeof run>>, rtol = 1e-6) {
  expect(got.weight).toBeClose(want.weight, { rtol })
  expect(got.m).toBeClose(want.m, { rtol })
  expect(got.v).toBeClose(want.v, { rtol })
}

const random = (shape: readonly number[], count: number) =>
  Object.values(seeded(Object.fromEntries(Array.from({ length: count }, (_, i) => [`g${i}`, shape]))))

describe('adamw', () => {
  test.each(adamwCases)('matches the oracle over 3 steps of [$rows, $C] in rows of $stride', async (size) => {
    const { rows, C, stride } = size
    const { weight } = seeded({ weight: [rows, stride] }, 5)
    const before = weight.slice()
    const result = await run(weight, random([rows, C], 3), usual, 0.25)
    expectClose(result)
    const padding = before.filter((_, i) => i % stride >= C)
    expect(result.got.padded.filter((_, i) => i % stride >= C)).toEqual(padding)
  })

  test('what is added to a weight of zero is right in every digit, for 12 steps', async () => {
    const weight = shaped(new Float32Array(500), [500])
    expectClose(await run(weight, random([500], 12), { ...usual, learningRate: 2e-5, weightDecay: 0 }))
  })

  test('epsilon rules where gradients vanish', async () => {
    const gradients = random([400], 4)
    for (const gradient of gradients) {
      gradient.forEach((g, i) => (gradient[i] = i % 5 === 0 ? 0 : g * 1e-11))
    }
    const weight = shaped(new Float32Array(400), [400])
    const result = await run(weight, gradients, { ...usual, weightDecay: 0 })
    expectClose(result, 2e-6)
    const largest = result.got.weight.reduce((most, w) => Math.max(most, Math.abs(w)), 0)
    expect(largest).toBeLessThan(1e-4) // a tenth of what gradients above epsilon would do in one step
    for (let i = 0; i < 400; i += 5) expect(result.got.weight[i]).toBe(0)
  })

  test('weights decay without a gradient, and stay at a rate of 0 while moments go on', async () => {
    const { weight } = seeded({ weight: [300] })
    const none = Array.from({ length: 3 }, () => shaped(new Float32Array(300), [300]))
    const decayed = await run(weight, none, { ...usual, learningRate: 0.5, weightDecay: 0.1 })
    expectClose(decayed)
    expect(decayed.got.weight[7]! / weight[7]!).toBeCloseTo(0.95 ** 3, 6)

    const still = await run(weight, random([300], 3), { ...usual, learningRate: 0 })
    expect([...still.got.weight]).toEqual([...weight])
    expect(still.want.m.some((value) => value !== 0)).toBe(true)
    expectClose(still)
  })

  test('nothing changes where a gradient is not finite', async () => {
    const inputs = seeded({ weight: [5, 64], gradient: [5, 33], m: [5, 33], v: [5, 33] })
    const { gradient, ...kept } = inputs
    gradient[40] = NaN
    gradient[41] = Infinity
    const before = Object.values(kept).map((values) => values.slice())
    const got = await onGpu(
      { ...inputs, clip: clipOf(0, false) },
      (enc, { weight, gradient, m, v, clip }) => {
        adamwStep(enc, { weight, gradient, m, v, clip }, { ...usual, learningRate: 1, step: 1 })
        return { weight, m, v }
      },
    )
    expect([got.weight, got.m, got.v]).toEqual(before)
  })

  test('steps the words of a weight as it is held', async () => {
    const gpu = await testGpu()
    const w = createWeight(gpu, 'w', 6, 35, 'f32')
    const { values, g, moments } = seeded({ values: [6, 64], g: [6, 35], moments: [2, 6, 35] })
    moments.fill(0)
    const want = { weight: unpadded(values, 35, 64), m: new Float64Array(210), v: new Float64Array(210) }
    adamwRef(want, g, { ...usual, step: 1 })
    try {
      const inputs = {
        values,
        g,
        m: shaped(moments.slice(0, 210), [6, 35]),
        v: shaped(moments.slice(210), [6, 35]),
      }
      const got = await onGpu({ ...inputs, clip: clipOf(1) }, (enc, { values, g, m, v, clip }) => {
        const weight = w.parts[0]!.data
        enc.copy(values, weight)
        adamwStep(enc, { weight, gradient: g, m, v, clip }, { ...usual, step: 1 })
        return { weight }
      })
      expect(unpadded(got.weight, 35, 64)).toBeClose(want.weight, { rtol: 1e-6 })
    } finally {
      destroyWeight(gpu, w)
    }
  })

  test('a folded grid reaches every entry once', async () => {
    const { weight } = seeded({ weight: [50, 64] })
    const gradients = random([50, 50], 2)
    expectClose(await run(weight, gradients, usual, 1, (record, enc) => withGridLimit(enc.gpu, 3, record)))
  })

  test('refuses what does not fit', async () => {
    const { w, g, m, clip } = seeded({ w: [4, 8], g: [4, 9], m: [4, 8], clip: [4] })
    const attempt = (change: (t: { w: Tensor; g: Tensor; m: Tensor; clip: Tensor }) => object, step = 1) =>
      onGpu({ w, g, m, clip }, (enc, t) => {
        const tensors = { weight: t.w, gradient: t.m, m: t.m, v: t.m, clip: t.clip, ...change(t) }
        adamwStep(enc, tensors, { ...usual, step })
        return {}
      })
    await expect(attempt(() => ({}), 0)).rejects.toThrow(
      'adamw: steps should be counted from 1 but this one is 0',
    )
    await expect(attempt((t) => ({ gradient: t.g }))).rejects.toThrow(
      'adamw: m should be [4, 9] but is [4, 8]',
    )
    await expect(attempt((t) => ({ gradient: t.g, m: t.g, v: t.g }))).rejects.toThrow(
      'adamw: weight should be f32 with 4 rows of 9 or more for its gradient [4, 9] but is f32 [4, 8]',
    )
    await expect(attempt((t) => ({ weight: { ...t.w, dtype: 'f16' } }))).rejects.toThrow('but is f16 [4, 8]')
    await expect(attempt((t) => ({ clip: t.m }))).rejects.toThrow('adamw: clip should be [4] but is [4, 8]')
  })
})
