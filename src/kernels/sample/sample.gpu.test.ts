import { describe, expect, test } from 'vitest'
import type { Capabilities, Gpu } from '../gpu/device'
import { Encoder } from '../gpu/encoder'
import { Arena, uploadTensor } from '../gpu/memory'
import { testGpu } from '../testing/gpu'
import { generator } from '../testing/numbers'
import { sampleToken, type SampleOptions } from './sample'
import { samplingCases, vocabularies } from './sample.cases'
import { probabilitiesRef, sampleRef } from './sample.ref'

const greedy = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 0, step: 0 }

/** Runs one sampling for each entry of `draws` and returns the ids; `status` of the last. */
async function sampled(
  logits: Float32Array,
  history: readonly number[],
  draws: readonly Omit<SampleOptions, 'length'>[],
  caps: Partial<Capabilities> = {},
) {
  const opened = await testGpu()
  const gpu = Object.create(opened, { caps: { value: { ...opened.caps, ...caps } } }) as Gpu
  const arena = new Arena(gpu)
  const enc = new Encoder(gpu, arena, 'sample test')
  const row = uploadTensor(gpu, 'logits', [1, logits.length], logits)
  const start = new Uint32Array(history.length + draws.length).fill(0xffffffff)
  start.set(history)
  const tokens = uploadTensor(gpu, 'tokens', [start.length], start)
  try {
    let status = tokens
    draws.forEach((options, i) => {
      if (i > 0) enc.release(status)
      // Draws beyond the first see the history alone where the penalty is off, the ids drawn before where it is on.
      status = sampleToken(enc, row, tokens, { ...options, length: history.length + i })
    })
    const [code] = await enc.readU32(status)
    const all = await enc.readU32(tokens)
    expect([...all.slice(0, history.length)]).toEqual([...history])
    return { ids: [...all.slice(history.length)], status: code }
  } finally {
    enc.end()
    arena.destroy()
    gpu.destroyBuffer(row.buffer)
    gpu.destroyBuffer(tokens.buffer)
    await opened.check()
  }
}

const normal = (length: number, seed: number, scale = 3) => {
  const random = generator(seed)
  return Float32Array.from(
    { length },
    () => scale * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  )
}

describe('argmax', () => {
  // Gemma 3's has more slices than the last step has lanes.
  test.each([...vocabularies, 262_208])('finds the largest of %d logits', async (V) => {
    const logits = normal(V, V)
    expect((await sampled(logits, [], [greedy])).ids).toEqual([
      logits.indexOf(logits.reduce((a, b) => Math.max(a, b))),
    ])
    logits[V - 1] = 100
    expect((await sampled(logits, [], [greedy])).ids).toEqual([V - 1])
  })

  test('takes the lowest id of equals, wherever the lanes and slices lie', async () => {
    const logits = normal(20_000, 2)
    for (const id of [19_999, 8192, 4095, 333]) {
      logits[id] = 50
      expect((await sampled(logits, [], [greedy])).ids).toEqual([id])
    }
    expect((await sampled(new Float32Array(5000), [], [greedy])).ids).toEqual([0])
  })

  test('takes minus zero as zero, negative and huge and denormal values by size', async () => {
    const winner = async (...logits: number[]) =>
      (await sampled(Float32Array.from(logits), [], [greedy])).ids[0]
    expect(await winner(-1, -0, 0)).toBe(1)
    expect(await winner(-1, 0, -0)).toBe(1)
    expect(await winner(-3, -2, -2.5)).toBe(1)
    expect(await winner(-3e38, -Infinity, -2.9e38)).toBe(2)
    expect(await winner(0, 1e-40, 3e38, 2e38)).toBe(2)
    expect(await winner(0, 1e-40)).toBe(1)
  })
})

describe('repetition penalty', () => {
  test('applies once to each id said, past placeholders beyond the vocabulary', async () => {
    const logits = Float32Array.from([4, 3.5, -1, 1])
    const penalised = { ...greedy, repetitionPenalty: 1.3 }
    expect((await sampled(logits, [0, 0, 0], [penalised])).ids).toEqual([1])
    // 4 / 1.3 = 3.08 is still above 4 / 1.3^2 = 2.4 and 2.7: a second division would choose id 1.
    expect((await sampled(Float32Array.from([4, 2.7]), [0, 0, 151_646, 0], [penalised])).ids).toEqual([0])
    const negative = Float32Array.from([-1, -1.2, -3])
    expect((await sampled(negative, [0, 2], [penalised])).ids).toEqual([1])
  })

  test('sees the ids drawn before it', async () => {
    const logits = normal(4099, 5)
    const history = Array.from({ length: 700 }, (_, i) => (i * i) % 4099)
    const draws = Array.from({ length: 12 }, () => ({ ...greedy, repetitionPenalty: 1.8 }))
    const want = [...history]
    for (const draw of draws) want.push(sampleRef(logits, { ...draw, history: want }))
    expect((await sampled(logits, history, draws)).ids).toEqual(want.slice(700))
  })
})

describe('sampling', () => {
  describe.each(vocabularies)('from %d logits', (V) => {
    test.each(samplingCases)('$name chooses the ids of the oracle', async ({ temperature, topK, topP }) => {
      const logits = normal(V, V + 1)
      const draws = Array.from({ length: V > 100_000 ? 3 : 12 }, (_, step) => ({
        ...greedy,
        temperature,
        topK,
        topP,
        seed: 11,
        step,
      }))
      const want = draws.map((draw) => sampleRef(logits, { ...draw, history: [] }))
      const got = await sampled(logits, [], draws)
      expect(got).toEqual({ ids: want, status: 0 })
      expect(await sampled(logits, [], draws)).toEqual(got)
    })
  })

  test.each([256, 512, 1024])('workgroups of %d lanes agree where the device has them', async (lanes) => {
    const most = (await testGpu()).caps.maxWorkgroupInvocations
    const caps = { isSoftware: false, maxWorkgroupInvocations: Math.min(lanes, most) }
    const logits = normal(9001, 8)
    const draws = samplingCases.map((options, step) => ({ ...greedy, ...options, seed: 3, step }))
    const want = draws.map((draw) => sampleRef(logits, { ...draw, history: [] }))
    expect(await sampled(logits, [], draws, caps)).toEqual({ ids: want, status: 0 })
  })

  test.each([
    { name: 'top-k 1 takes the largest', options: { temperature: 2, topK: 1 }, allowed: [2] },
    { name: 'top-p 0 takes the largest', options: { temperature: 2, topP: 0 }, allowed: [2] },
    { name: 'top-k keeps the ties of its threshold', options: { topK: 2 }, allowed: [1, 2, 4] },
    { name: 'top-p keeps of equals the lowest ids it needs', options: { topP: 0.7 }, allowed: [1, 2] },
    { name: 'minus infinity is never drawn', options: { temperature: 50 }, allowed: [0, 1, 2, 4] },
    { name: 'a tiny temperature takes the largest', options: { temperature: 1e-5 }, allowed: [2] },
  ])('$name', async ({ options, allowed }) => {
    const logits = Float32Array.from([0, 2, 3, -Infinity, 2])
    const draws = Array.from({ length: 60 }, (_, step) => ({
      ...greedy,
      temperature: 1,
      ...options,
      seed: 5,
      step,
    }))
    const { ids } = await sampled(logits, [], draws)
    expect([...new Set(ids)].sort()).toEqual(allowed)
  })

  test('top-p over equal logits keeps just as many as it needs', async () => {
    const draws = Array.from({ length: 400 }, (_, seed) => ({ ...greedy, temperature: 1, topP: 0.3, seed }))
    const { ids } = await sampled(new Float32Array(40).fill(-7), [], draws)
    expect([...new Set(ids)].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  test.each([
    { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1 },
    { temperature: 1.5, topK: 6, topP: 0.9, repetitionPenalty: 1 },
  ])('draws ids as often as they are probable: %o', async (options) => {
    const logits = Float32Array.from([0.3, -1, 1.2, 0, 0.9, -0.4, 1.1, -3])
    const n = 3000
    const draws = Array.from({ length: n }, (_, seed) => ({ ...options, seed, step: seed % 7 }))
    const { ids } = await sampled(logits, [], draws)
    const p = probabilitiesRef(logits, { ...options, history: [] })
    const counts = new Float64Array(p.length)
    for (const id of ids) counts[id]!++
    let chiSquare = 0
    p.forEach((probability, id) => {
      if (probability === 0) expect(counts[id]).toBe(0)
      else chiSquare += (counts[id]! - n * probability) ** 2 / (n * probability)
    })
    // At most 7 degrees of freedom: 29.9 is exceeded once in 10,000 by a true sampler; the seeds are fixed.
    expect(chiSquare).toBeLessThan(29.9)
  })
})

describe('logits that are no numbers', () => {
  const hot = { ...greedy, temperature: 1, topK: 3, topP: 0.9 }
  test.each([
    { name: 'NaN', bad: NaN, status: 1 },
    { name: 'infinity', bad: Infinity, status: 2 },
  ])('$name gives id 0 and status $status, greedy, penalised and sampled', async ({ bad, status }) => {
    const logits = normal(5000, 4)
    logits[4321] = bad
    for (const options of [greedy, hot, { ...greedy, repetitionPenalty: 1.2 }]) {
      expect(await sampled(logits, [4321], [options])).toEqual({ ids: [0], status })
    }
  })

  test('nothing but minus infinity gives id 0 and status 3', async () => {
    const logits = new Float32Array(300).fill(-Infinity)
    for (const options of [greedy, hot])
      expect(await sampled(logits, [], [options])).toEqual({ ids: [0], status: 3 })
  })

  test('NaN of either sign and any payload is found', async () => {
    const logits = normal(64, 4)
    new Uint32Array(logits.buffer)[5] = 0xffc00001
    expect((await sampled(logits, [], [greedy])).status).toBe(1)
    expect((await sampled(logits, [], [hot])).status).toBe(1)
  })
})

describe('options out of range are refused', () => {
  test.each([
    [{ temperature: -1 }, 'sample: temperature should be a finite number from 0 but is -1'],
    [{ temperature: NaN }, 'sample: temperature should be a finite number from 0 but is NaN'],
    [{ topP: 1.5 }, 'sample: topP should be 0 to 1 (off) but is 1.5'],
    [{ topK: 2.5 }, 'sample: topK should be a whole number from 0 (off) but is 2.5'],
    [
      { repetitionPenalty: 0 },
      'sample: repetitionPenalty should be a finite number above 0 (1 is off) but is 0',
    ],
  ])('%o', async (wrong, message) => {
    await expect(sampled(new Float32Array(8), [], [{ ...greedy, ...wrong }])).rejects.toThrow(message)
  })

  test('a full buffer of tokens is refused', async () => {
    const gpu = await testGpu()
    const arena = new Arena(gpu)
    const enc = new Encoder(gpu, arena, 'sample test')
    const logits = enc.temp([8])
    const tokens = enc.temp([4], 'u32')
    expect(() => sampleToken(enc, logits, tokens, { ...greedy, length: 4 })).toThrow(
      'sample: length should be 0 to 3 but is 4',
    )
    expect(() => sampleToken(enc, enc.temp([2, 8]), tokens, { ...greedy, length: 0 })).toThrow(
      'sample: logits should be f32 [V] or [1, V]',
    )
    enc.end()
    arena.destroy()
  })
})
