import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { DiskSource } from '../cli/disk-source'
import { UNTUNED } from '../kernels'
import type { JsonObject } from '../model/config-reader'
import type { AskEvent, EngineEvent, LoadProgress } from './api'
import { describeTurn, golden, load, request } from './testing/asking'
import { freshEngine, sharedEngine } from './testing/engines'
import { rewritten } from './testing/rewritten'

/** Compiles whole sets of kernels anew in most of a minute; in Chromium every visit to the page does what is tested here. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

describe('the engine', () => {
  const engine = sharedEngine()
  beforeAll(async () => {
    await load(engine)
  })
  afterAll(() => engine.unload())

  test('keeps two tokens in flight and maps nothing but their ids', async () => {
    const sizes: number[] = []
    let mapping = 0
    let most = 0
    const { mapAsync } = GPUBuffer.prototype
    const spy = vi.spyOn(GPUBuffer.prototype, 'mapAsync').mockImplementation(function (
      this: GPUBuffer,
      mode,
    ) {
      sizes.push(this.size)
      most = Math.max(most, ++mapping)
      return mapAsync.call(this, mode).finally(() => mapping--)
    })
    try {
      const reply = await engine.ask(request(), () => {})
      expect(reply.tokenIds).toEqual(describeTurn.generated_ids)
      expect(sizes.length).toBe(reply.tokenIds.length)
      expect(Math.max(...sizes)).toBeLessThanOrEqual(16)
      expect(most).toBeGreaterThanOrEqual(2)
    } finally {
      spy.mockRestore()
    }
  })

  test('allocates nothing more from the second reply on', async () => {
    await engine.ask(request(), () => {})
    const before = await engine.gpuMemory()
    await engine.ask(request(), () => {})
    expect((await engine.gpuMemory()).allocatedBytes).toBe(before.allocatedBytes)
  })

  const methods = isSlow ? (['timestamps'] as const) : (['timestamps', 'waits'] as const)
  test.each(methods)('profiles a reply by %s and says the same', async (method) => {
    const { gpu } = engine.loaded!.vlm
    const { caps } = gpu
    const { timestampQuery } = caps
    Object.assign(caps, { timestampQuery: timestampQuery && method === 'timestamps' })
    try {
      const plain = await engine.ask(request(), () => {})
      const before = gpu.allocatedBytes
      // Another name, so that the picture is encoded again.
      const profiled = { ...request(), profile: true }
      for (const image of profiled.messages.flatMap(({ images }) => images ?? [])) image.id += method
      const { tokenIds, profile, prefillMs } = await engine.ask(profiled, () => {})
      expect(tokenIds).toEqual(describeTurn.generated_ids)
      expect(profile!.method).toBe(caps.timestampQuery ? 'timestamps' : 'waits')
      const [encode, prompt, decode] = profile!.phases
      expect(profile!.phases.map(({ phase }) => phase)).toEqual(['encode', 'prompt', 'decode'])
      expect(encode!.steps).toBe(1)
      expect(prompt!.steps).toBe(1)
      expect(encode!.wallMs + prompt!.wallMs).toBeCloseTo(prefillMs)
      // Two tokens are begun past the end, and a device without timestamps is asked about the first ones alone.
      expect(decode!.steps).toBeGreaterThanOrEqual(Math.min(16, tokenIds.length - 1))
      for (const { steps, kernels } of profile!.phases) {
        for (const { dispatches } of kernels) expect(dispatches % steps).toBe(0)
        // Timestamps are rounded: to less than what multiplies matrices takes, but not to less than all.
        for (const { ms } of kernels.filter(({ flops }) => flops > 0)) expect(ms).toBeGreaterThan(0)
        expect(kernels.some(({ flops }) => flops > 0)).toBe(true)
      }
      // The keys and values it left are the right ones, and nothing of it stays.
      const again = await engine.ask(request(), () => {})
      expect(again.profile).toBeUndefined()
      expect(again.tokenIds).toEqual(plain.tokenIds)
      expect(gpu.allocatedBytes - before).toBeLessThan(1e6)
    } finally {
      Object.assign(caps, { timestampQuery })
    }
  })

  test('draws the same reply from a seed, others from other seeds', async () => {
    const draw = async (seed: number) =>
      (await engine.ask(request({ temperature: 1.5, seed }), () => {})).tokenIds
    const first = await draw(7)
    expect(await draw(7)).toEqual(first)
    expect(await draw(8)).not.toEqual(first)
  })

  test('with top-k 1 is greedy at any temperature', async () => {
    const reply = await engine.ask(request({ temperature: 2, topK: 1 }), () => {})
    expect(reply.tokenIds).toEqual(describeTurn.generated_ids)
  })

  test('a strong repetition penalty leaves no token twice', async () => {
    const { tokenIds } = await engine.ask(request({ repetitionPenalty: 1e6 }), () => {})
    expect(new Set(tokenIds).size).toBe(tokenIds.length)
    expect(tokenIds).not.toEqual(describeTurn.generated_ids)
  })

  test('ends at a stop string, which is not part of the reply', async () => {
    const whole = describeTurn.generated_text
    const stop = whole.slice(20, 24)
    const streamed: string[] = []
    const reply = await engine.ask({ ...request(), stop: [stop] }, (event) => {
      if (event.type === 'token') streamed.push(event.text)
    })
    expect(reply.finish).toBe('stop')
    expect(reply.text).toBe(whole.slice(0, whole.indexOf(stop)))
    expect(streamed.join('')).toBe(reply.text)
  })

  test('an abort ends the reply at once with what was said, and the next one is whole', async () => {
    const reply = await engine.ask(request({}, 400), (event) => {
      if (event.type === 'token' && event.index === 3) void engine.abort()
    })
    expect(reply.finish).toBe('aborted')
    expect(reply.tokenIds.length).toBeLessThanOrEqual(6)
    expect(reply.tokenIds).toEqual(describeTurn.generated_ids.slice(0, reply.tokenIds.length))
    const next = await engine.ask(request(), () => {})
    expect(next.tokenIds).toEqual(describeTurn.generated_ids)
  })

  test('an abort ends replies that wait for their turn too', async () => {
    const events: string[] = []
    const running = engine.ask(request({}, 400), () => {})
    const waiting = engine.ask(request(), ({ type }) => events.push(type))
    await engine.abort()
    expect((await running).finish).toBe('aborted')
    expect(await waiting).toMatchObject({ finish: 'aborted', text: '', tokenIds: [] })
    expect(events).toEqual([])
    expect((await engine.ask(request(), () => {})).tokenIds).toEqual(describeTurn.generated_ids)
  })

  test('an abort while a picture is encoded ends the reply at once; the picture is not encoded again', async () => {
    const blob = new Blob([golden.imageBytes('image-gray.png') as Uint8Array<ArrayBuffer>])
    const question = {
      ...request({}, 4),
      messages: [{ role: 'user' as const, text: 'What?', images: [{ id: 'gray, stopped', blob }] }],
    }
    const finish = vi.spyOn(engine.loaded!.vlm.gpu, 'finish').mockImplementationOnce(async () => {
      await engine.abort()
      await new Promise(() => {}) // a GPU that takes for ever
    })
    const reply = await engine.ask(question, () => {})
    expect(reply).toMatchObject({ finish: 'aborted', tokenIds: [] })
    finish.mockRestore()
    const events: AskEvent[] = []
    await engine.ask(question, (event) => events.push(event))
    expect(events).toContainEqual({ type: 'encoding', images: 1, cached: 1, share: 1 })
  })

  test('two asks at once are answered one after the other', async () => {
    const replies = await Promise.all([engine.ask(request(), () => {}), engine.ask(request(), () => {})])
    for (const { tokenIds } of replies) expect(tokenIds).toEqual(describeTurn.generated_ids)
  })

  test.each([
    [{ temperature: -1 }, 'temperature'],
    [{ topP: 1.5 }, 'top_p'],
    [{ topK: 0.5 }, 'top_k'],
    [{ repetitionPenalty: 0 }, 'repetition penalty'],
  ])('refuses %o', async (sampling, named) => {
    await expect(engine.ask(request(sampling), () => {})).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining(named) as string,
    })
  })

  test('refuses a picture that is none and answers the next question', async () => {
    const blob = new Blob(['just words'])
    const messages = [{ role: 'user' as const, text: 'What?', images: [{ id: 'words', blob }] }]
    await expect(engine.ask({ ...request(), messages }, () => {})).rejects.toMatchObject({
      name: 'ImageError',
    })
    expect((await engine.ask(request(), () => {})).tokenIds).toEqual(describeTurn.generated_ids)
  })

  test('takes a raw prompt verbatim, each <image> in it the next picture', async () => {
    const images = golden.messages(describeTurn).flatMap((message) => message.images!)
    const raw = { prompt: describeTurn.prompt, images }
    const reply = await engine.ask({ ...request(), messages: [], raw }, () => {})
    expect(reply.tokenIds).toEqual(describeTurn.generated_ids)
    const missing = { prompt: describeTurn.prompt, images: [] }
    await expect(engine.ask({ ...request(), messages: [], raw: missing }, () => {})).rejects.toMatchObject({
      name: 'TemplateError',
    })
  })
})

describe('the self-test', () => {
  test.skipIf(isSlow)('that passes is in the report', async () => {
    const engine = freshEngine({ selfTest: undefined })
    const report = await engine.probe()
    expect(report).toMatchObject({ ok: true, isSoftware: true })
    expect(report.selfTest!.checks.length).toBeGreaterThan(8)
  })

  test.each([
    [
      'computes wrong values',
      async () => ({
        passed: false,
        checks: [{ name: 'rope', maxError: 1, tolerance: 0, passed: false }],
        ms: 1,
      }),
      /wrong values \(rope\)/,
    ],
    ['refuses a shader', () => Promise.reject(new Error('matmul: refused')), /cannot run.*matmul: refused/],
  ])('on a device that %s keeps the engine from answering', async (_, selfTest, message) => {
    const engine = freshEngine({ selfTest })
    const problem = { name: 'SelfTestError', message: expect.stringMatching(message) as string }
    expect(await engine.probe()).toMatchObject({ ok: false, problem })
    await expect(load(engine)).rejects.toMatchObject(problem)
  })
})

describe('context', () => {
  test('a reply that fills it ends so; a prompt that exceeds it is refused, and a shorter one is answered', async () => {
    const engine = sharedEngine()
    await load(engine, undefined, 80)
    const full = await engine.ask(request({}, 100), () => {})
    expect(full.finish).toBe('context')
    expect(full.promptTokens + full.tokenIds.length).toBe(80)
    const long = [{ role: 'user' as const, text: 'word '.repeat(200) }]
    await expect(engine.ask({ ...request(), messages: long }, () => {})).rejects.toMatchObject({
      name: 'ContextOverflowError',
    })
    const next = await engine.ask(request({}, 10), () => {})
    expect(next.tokenIds).toEqual(describeTurn.generated_ids.slice(0, 10))
    await engine.unload()
  })
})

test('closing lets the device go without a word of loss, and the next call opens one anew', async () => {
  const engine = freshEngine()
  expect(await engine.gpuMemory()).toEqual({ allocatedBytes: 0, peakBytes: 0 })
  await engine.close()
  const events: EngineEvent[] = []
  await engine.watch((event) => events.push(event))
  const devices: GPUDevice[] = []
  for (let time = 0; time < 2; time++) {
    expect((await engine.probe()).ok).toBe(true)
    const { gpu } = await (engine as unknown as { device: Promise<{ gpu: { device: GPUDevice } }> }).device
    devices.push(gpu.device)
    await engine.close()
    expect((await gpu.device.lost).reason).toBe('destroyed')
    expect(await engine.gpuMemory()).toEqual({ allocatedBytes: 0, peakBytes: 0 })
  }
  expect(devices[0]).not.toBe(devices[1])
  expect(events).toEqual([])
})

describe('a load that fails', () => {
  test('lists every tensor that is missing, unexpected or mis-shaped, and leaves nothing behind', async () => {
    const engine = sharedEngine()
    // What a device keeps for good (a buffer of params) is there after the first model.
    await load(engine)
    await engine.ask(request({}, 1), () => {})
    await engine.unload()
    const before = (await engine.gpuMemory()).allocatedBytes
    const broken = rewritten(golden, {
      tensors: (tensors) => {
        tensors.splice(
          tensors.findIndex(({ name }) => name.endsWith('layers.1.mlp.up_proj.weight')),
          1,
        )
        const norm = tensors.find(({ name }) => name.endsWith('layers.0.input_layernorm.weight'))!
        norm.shape = [48, 2]
        tensors.push({
          name: 'language_model.model.extra.weight',
          dtype: 'F32',
          shape: [1],
          data: new Uint8Array(4),
        })
      },
    })
    const error = await load(engine, broken).catch((caught: unknown) => caught as Error)
    expect(error).toMatchObject({ name: 'CheckpointError' })
    const { message } = error as Error
    expect(message).toContain('layers.1.mlp.up_proj.weight')
    expect(message).toContain('extra.weight')
    expect(message).toMatch(/\[96\].*\[48, 2\]/)
    expect((await engine.gpuMemory()).allocatedBytes).toBe(before)
    await load(engine)
    expect((await engine.ask(request({}, 4), () => {})).tokenIds).toEqual(
      describeTurn.generated_ids.slice(0, 4),
    )
    await engine.unload()
    expect((await engine.gpuMemory()).allocatedBytes).toBe(before)
  })

  test('for want of memory says what to do and leaves nothing behind', async () => {
    const engine = freshEngine({ restrict: { maxBufferBytes: 100_000 } })
    await engine.probe()
    const before = (await engine.gpuMemory()).allocatedBytes
    await expect(load(engine)).rejects.toMatchObject({
      name: 'OutOfMemoryError',
      message: expect.stringMatching(/lm_head.*smaller dtype/s) as string,
    })
    expect((await engine.gpuMemory()).allocatedBytes).toBe(before)
  })

  test('before its weights leaves the loaded model answering', async () => {
    const engine = sharedEngine()
    await load(engine)
    const mystery = rewritten(golden, { config: (config) => ({ ...config, model_type: 'mystery' }) })
    await expect(load(engine, mystery)).rejects.toMatchObject({ name: 'ConfigError' })
    const reply = await engine.ask(request({}, 4), () => {})
    expect(reply.tokenIds).toEqual(describeTurn.generated_ids.slice(0, 4))
    await engine.unload()
  })

  test('by cancelling says so, frees its memory, and the next load works', async () => {
    const engine = sharedEngine()
    await engine.probe()
    const before = (await engine.gpuMemory()).allocatedBytes
    const phases: LoadProgress['phase'][] = []
    const loading = engine.loadFrom(new DiskSource(golden.checkpoint), { dtype: 'f32' }, (progress) => {
      phases.push(progress.phase)
      if (progress.phase === 'weights') void engine.cancelLoad()
    })
    await expect(loading).rejects.toMatchObject({ name: 'AbortError' })
    expect(phases).not.toContain('ready')
    expect((await engine.gpuMemory()).allocatedBytes).toBe(before)
    await load(engine)
    expect(engine.loaded).toBeDefined()
    await engine.unload()
  })

  test.each([
    [
      'an unknown model type',
      (config: JsonObject) => ({ ...config, model_type: 'mystery' }),
      /mystery.*llava/,
    ],
    [
      'a missing model type',
      (config: JsonObject) => ({ ...config, model_type: undefined as never }),
      /model_type/,
    ],
    [
      'an unknown tower',
      (config: JsonObject) => ({ ...config, vision_config: { model_type: 'eye' } }),
      /"eye".*clip_vision_model/,
    ],
    [
      'an impossible layer',
      (config: JsonObject) => ({ ...config, vision_feature_layer: -9 }),
      /vision_feature_layer.*3 layers/,
    ],
  ])('for %s names the field', async (_, config, message) => {
    const engine = sharedEngine()
    await expect(load(engine, rewritten(golden, { config }))).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(message) as string,
    })
  })
})

describe('a lost device', () => {
  test('no WebGPU at all is a report that says what to do', async () => {
    const engine = freshEngine({ gpu: undefined })
    const report = await engine.probe()
    expect(report.ok).toBe(false)
    expect(report.problem).toMatchObject({ name: 'UnsupportedDeviceError' })
    await expect(load(engine)).rejects.toMatchObject({ name: 'UnsupportedDeviceError' })
  })
})

test('a question makes an end of measuring kernels and is answered as ever; measuring goes on behind the reply', async () => {
  const runs: AbortSignal[] = []
  const run = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      runs.push(signal)
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })
  const engine = sharedEngine({ tuning: { tunerFor: () => ({ run }), isTunable: () => true, idleMs: 0 } })
  await load(engine)
  await engine.ask(request({}, 2), () => {})
  await vi.waitFor(() => expect(runs.length).toBe(1))
  const replies = [engine.ask(request({}, 4), () => {}), engine.ask(request({}, 3), () => {})]
  expect(runs[0]!.aborted).toBe(true)
  expect((await replies[0]!).tokenIds).toEqual(describeTurn.generated_ids.slice(0, 4))
  expect(runs.length).toBe(1)
  expect((await replies[1]!).tokenIds).toEqual(describeTurn.generated_ids.slice(0, 3))
  await vi.waitFor(() => expect(runs.length).toBe(2))
  await engine.unload()
  expect(runs[1]!.aborted).toBe(true)
})

test('measures kernels when told to, but never those of an adapter in software', async () => {
  await expect(sharedEngine().tune()).rejects.toMatchObject({
    name: 'UnsupportedDeviceError',
    message: expect.stringMatching(/^tune: .* is software/) as string,
  })
  const run = async () => UNTUNED
  const engine = sharedEngine({ tuning: { tunerFor: () => ({ run }), isTunable: () => true } })
  expect(await engine.tune()).toEqual(UNTUNED)
})

test('text-only turns of a vision-language model need no picture', async () => {
  const textTurn = golden.facts.turns.find(({ images }) => images.length === 0)!
  const engine = sharedEngine()
  await load(engine)
  const reply = await engine.ask({ ...request(), messages: golden.messages(textTurn) }, () => {})
  expect(reply.tokenIds).toEqual(textTurn.generated_ids)
  await engine.unload()
})
