import { describe, expect, test } from 'vitest'
import type { Capabilities } from '../gpu/device'
import { appendKv, createKvCache, destroyKvCache } from '../kv-cache/kv-cache'
import { Encoder } from '../gpu/encoder'
import { Arena } from '../gpu/memory'
import { withCaps } from '../testing/caps'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded, shaped, type Closeness, type Shaped } from '../testing/numbers'
import { attention, attentionFull } from './attention'
import { attentionCases, attentionFullCases, decodeCases } from './attention.cases'
import { attentionRef, type AttentionDims } from './attention.ref'
import { DECODE_ROWS } from './decode'

interface Case {
  T: number
  position: number
  H: number
  KV: number
  D: number
  window?: number
}

interface Inputs {
  q: Shaped
  k: Shaped
  v: Shaped
}

const inputsOf = ({ T, position, H, KV, D }: Case): Inputs =>
  seeded({ q: [T, H * D], k: [position + T, KV * D], v: [position + T, KV * D] })

const dimsOf = ({ T, position, H, KV, D, window = Infinity }: Case): AttentionDims => {
  return { B: 1, T, S: position + T, H, KV, D, scale: 1 / Math.sqrt(D), causal: { position, window } }
}

/** Fills a cache as a first turn and a follow-up would, then attends. */
async function attend(sizes: Case, { q, k, v }: Inputs, dtype: 'f32' | 'f16'): Promise<Float32Array> {
  const { T, position, H, KV, D, window } = sizes
  const gpu = await testGpu()
  const cache = createKvCache(gpu, 'test', { capacity: position + T + 3, kvHeads: KV, headDim: D, dtype })
  const earlier = (x: Shaped) =>
    shaped(x.slice(0, Math.max(1, position) * KV * D), [Math.max(1, position), KV * D])
  const later = (x: Shaped) => shaped(x.slice(position * KV * D), [T, KV * D])
  const inputs = { q, k0: earlier(k), v0: earlier(v), k1: later(k), v1: later(v) }
  try {
    const { y } = await onGpu(inputs, (enc, t) => {
      if (position) appendKv(enc, cache, t.k0, t.v0, 0)
      appendKv(enc, cache, t.k1, t.v1, position)
      return { y: attention(enc, t.q, cache, { heads: H, position, slidingWindow: window }) }
    })
    return y
  } finally {
    destroyKvCache(gpu, cache)
  }
}

const roundToF16 = (x: Shaped): Float64Array =>
  Float64Array.from(x, (value) => {
    if (Math.abs(value) < 2 ** -14) return Math.round(value * 2 ** 24) / 2 ** 24
    const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10)
    return Math.round(value / unit) * unit
  })

const name = '$T rows from $position, $H/$KV heads of $D'

async function expectF16(sizes: Case): Promise<void> {
  const inputs = inputsOf(sizes)
  const got = await attend(sizes, inputs, 'f16')
  const exact = attentionRef(inputs.q, roundToF16(inputs.k), roundToF16(inputs.v), dimsOf(sizes))
  // Ties round either way, so a few keys differ by one f16 step.
  expect(got).toBeClose(exact, { atol: 1e-6, rtol: 2e-4 })
}

/** Whole numbers keep the products exact, so that only exp sees how large the scores are. */
async function expectFinite(sizes: Case): Promise<void> {
  const inputs = inputsOf(sizes)
  for (const x of [inputs.q, inputs.k]) x.forEach((value, i) => (x[i] = Math.round(value * 70)))
  const want = attentionRef(inputs.q, inputs.k, inputs.v, dimsOf(sizes))
  const closeness: Closeness = { rtol: 2e-3 }
  expect(await attend(sizes, inputs, 'f32')).toBeClose(want, closeness)
}

async function expectSameWhereCut(sizes: Case): Promise<void> {
  const inputs = inputsOf(sizes)
  const whole = await attend(sizes, inputs, 'f32')
  await withCaps({ maxDispatchFlops: 100_000 }, async () =>
    expect(await attend(sizes, inputs, 'f32')).toEqual(whole),
  )
}

type FullCase = AttentionDims & { validKeys?: number }

async function expectFull({ B, T, S, H, KV, D, validKeys = S }: FullCase): Promise<void> {
  const { q, k, v } = seeded({ q: [B * T, H * D], k: [B * S, KV * D], v: [B * S, KV * D] })
  const got = await onGpu({ q, k, v }, (enc, t) => ({
    y: attentionFull(enc, t.q, t.k, t.v, { heads: H, kvHeads: KV, batch: B, validKeys }),
  }))
  const kept = (x: Shaped) =>
    Float32Array.from({ length: B * validKeys * KV * D }, (_, i) => {
      const b = Math.floor(i / (validKeys * KV * D))
      return x[i + b * (S - validKeys) * KV * D]!
    })
  const dims = { B, T, S: validKeys, H, KV, D, scale: 1 / Math.sqrt(D) }
  expect(got.y).toBeClose(attentionRef(q, kept(k), kept(v), dims))
}

async function expectFused(headDim: number): Promise<void> {
  const [B, S, H] = [2, 11, 2]
  const C = H * headDim
  const { qkv } = seeded({ qkv: [B * S, 3 * C] })
  const got = await onGpu({ qkv }, (enc, t) => ({
    y: attentionFull(enc, t.qkv, t.qkv, t.qkv, {
      heads: H,
      batch: B,
      columns: { q: 0, k: C, v: 2 * C, headDim },
    }),
  }))
  const columns = (start: number) =>
    Float32Array.from({ length: B * S * C }, (_, i) => qkv[Math.floor(i / C) * 3 * C + start + (i % C)]!)
  const dims = { B, T: S, S, H, KV: H, D: headDim, scale: 1 / Math.sqrt(headDim) }
  expect(got.y).toBeClose(attentionRef(columns(0), columns(C), columns(2 * C), dims))
}

/** Prompts by what this device takes, and by what GPUs and adapters without subgroups take. */
const forms: { form: string; caps: Partial<Capabilities> }[] = [
  { form: 'the form of this device', caps: {} },
  { form: 'the form without subgroups', caps: { subgroups: undefined } },
]
const prompts = (attentionCases as Case[]).filter(({ T, H, KV }) => (T * H) / KV > DECODE_ROWS)
const others = (attentionCases as Case[]).filter((sizes) => !prompts.includes(sizes))

describe.each(forms)('attention by $form', ({ caps }) => {
  test.each(prompts)(`matches the oracle for ${name}`, (sizes) =>
    withCaps(caps, async () => {
      const inputs = inputsOf(sizes)
      expect(await attend(sizes, inputs, 'f32')).toBeClose(
        attentionRef(inputs.q, inputs.k, inputs.v, dimsOf(sizes)),
      )
    }),
  )

  test('reads an f16 cache', () => withCaps(caps, () => expectF16(attentionCases[3] as Case)))

  test('stays finite with scores of thousands', () =>
    withCaps(caps, () => expectFinite({ T: 20, position: 13, H: 2, KV: 1, D: 16 })))

  test('gives the same where dispatches are cut short', () =>
    withCaps(caps, () => expectSameWhereCut({ T: 67, position: 61, H: 4, KV: 2, D: 16 })))

  test.each(attentionFullCases as FullCase[])(
    'matches the oracle for $B x $T rows, $S keys, $H/$KV heads of $D',
    (sizes) => withCaps(caps, () => expectFull(sizes)),
  )

  test.each([8, 6])('takes q, k and v of head dim %i out of fused rows', (headDim) =>
    withCaps(caps, () => expectFused(headDim)),
  )
})

test.each([
  { isSoftware: true, subgroups: { min: 8, max: 8 }, kernel: 'attention-scores-f32' },
  { isSoftware: true, subgroups: { min: 4, max: 4 }, kernel: 'attention-scores-f32' },
  { isSoftware: true, subgroups: { min: 4, max: 8 }, kernel: 'attention-tile-f32' },
  { isSoftware: true, subgroups: { min: 16, max: 16 }, kernel: 'attention-tile-f32' },
  { isSoftware: true, subgroups: undefined, kernel: 'attention-tile-f32' },
  { isSoftware: false, subgroups: { min: 8, max: 8 }, kernel: 'attention-tile-f32' },
])('takes $kernel for subgroups of $subgroups, software: $isSoftware', ({ kernel, ...caps }) =>
  withCaps(caps, async () => {
    const gpu = await testGpu()
    const variants = Encoder.collect(gpu, new Arena(gpu), (enc) => {
      const q = enc.temp([40, 32])
      attentionFull(enc, q, q, q, { heads: 2, batch: 1 })
    })
    expect(variants.map(({ spec }) => spec.name)).toContain(kernel)
  }),
)

describe('attention', () => {
  test.each(others)(`matches the oracle for ${name}`, async (sizes) => {
    const inputs = inputsOf(sizes)
    expect(await attend(sizes, inputs, 'f32')).toBeClose(
      attentionRef(inputs.q, inputs.k, inputs.v, dimsOf(sizes)),
    )
  })

  test.each(decodeCases as Case[])(`matches the oracle for ${name}`, async (sizes) => {
    const inputs = inputsOf(sizes)
    expect(await attend(sizes, inputs, 'f32')).toBeClose(
      attentionRef(inputs.q, inputs.k, inputs.v, dimsOf(sizes)),
    )
  })

  test.each([decodeCases[2], decodeCases[3]] as Case[])(`reads an f16 cache for ${name}`, expectF16)

  test('stays finite with scores of thousands', () =>
    expectFinite({ T: 1, position: 300, H: 2, KV: 1, D: 16 }))

  test('gives the same where dispatches are cut short', () =>
    expectSameWhereCut({ T: 1, position: 700, H: 4, KV: 2, D: 16 }))

  test('refuses heads that do not divide and rows past the cache', async () => {
    const gpu = await testGpu()
    const cache = createKvCache(gpu, 'test', { capacity: 4, kvHeads: 2, headDim: 16, dtype: 'f32' })
    const { q } = seeded({ q: [3, 48] })
    const run = (heads: number, position: number) =>
      onGpu({ q }, (enc, t) => ({ y: attention(enc, t.q, cache, { heads, position }) }))
    await expect(run(3, 0)).rejects.toThrow(
      'attention: 3 query heads should be a multiple of 2 key/value heads',
    )
    await expect(run(4, 0)).rejects.toThrow('attention: q should be [3, 64] but is [3, 48]')
    destroyKvCache(gpu, cache)
  })
})

describe('attentionFull', () => {
  test('refuses keys and values of different lengths', async () => {
    const { q, v } = seeded({ q: [4, 32], v: [6, 32] })
    await expect(
      onGpu({ q, v }, (enc, t) => ({ y: attentionFull(enc, t.q, t.q, t.v, { heads: 2, batch: 2 }) })),
    ).rejects.toThrow('attention: v should be [4, 32] for 2 x 2 rows but is [6, 32]')
  })
})
