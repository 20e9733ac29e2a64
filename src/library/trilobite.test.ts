import { describe, expect, test, vi } from 'vitest'
import type { AskEvent, AskRequest, DeviceReport, LoadOptions, ModelSource, Reply } from '../worker/api'
import type { EngineClient } from '../worker/client'
import type { RunInfo, TrainingEvent, TrainingRequest } from '../worker/training-api'
import { absoluteData, modelSource } from './source'
import { Trilobite, TrilobiteError } from './trilobite'

const FIT = { ok: true } as DeviceReport
const reply = (text: string, finish: Reply['finish'] = 'stop') => ({ text, finish }) as Reply
const token = (text: string, index: number): AskEvent => ({ type: 'token', text, tokenId: index, index })

/** An engine that does what a test says, and notes what it was asked. */
function engine(changes: Partial<EngineClient> = {}) {
  const calls = { asked: [] as AskRequest[], aborts: 0, disposed: 0, cancelled: 0 }
  const client = {
    probe: async () => FIT,
    ask: async (request: AskRequest, onEvent: (e: AskEvent) => void) => {
      calls.asked.push(request)
      for (const [i, text] of ['A ', 'star', '.'].entries()) onEvent(token(text, i))
      return reply('A star.')
    },
    abort: async () => void calls.aborts++,
    cancelLoad: async () => void calls.cancelled++,
    dispose: () => void calls.disposed++,
    ...changes,
  } as EngineClient
  return { calls, open: () => Trilobite.open({ connect: () => client }) }
}

describe('opening', () => {
  test('a GPU that cannot serve is an error that says why, and nothing is left behind', async () => {
    const problem = { name: 'UnsupportedDeviceError' as const, message: 'no WebGPU here' }
    const { open, calls } = engine({ probe: async () => ({ ...FIT, ok: false, problem }) })
    const error = await open().catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(TrilobiteError)
    expect(error).toMatchObject(problem)
    expect(calls.disposed).toBe(1)
  })

  test('the device is told of', async () => {
    expect((await engine().open()).device).toBe(FIT)
  })
})

describe('a server', () => {
  test('is connected to without an engine, which a checkpoint starts', async () => {
    const answer = { choices: [{ message: { content: 'Two shapes.' }, finish_reason: 'stop' }] }
    vi.stubGlobal('fetch', async (url: string) =>
      Response.json(url.endsWith('/models') ? { data: [{ id: 'tiny' }] } : answer),
    )
    try {
      const dispose = vi.fn()
      const connect = vi.fn(() => ({ load: async () => ({ model: 'x' }), dispose }))
      const trilobite = await Trilobite.connect(
        { baseUrl: 'https://gpu.example/v1' },
        { connect: connect as never },
      )
      expect(trilobite.device.ok).toBe(false)
      expect((await trilobite.ask('?').reply).text).toBe('Two shapes.')
      expect(connect).not.toHaveBeenCalled()
      await trilobite.load('a/b')
      trilobite.close()
      expect(dispose).toHaveBeenCalledOnce()
    } finally {
      vi.unstubAllGlobals()
    }
  })

  test('that is none is an error', async () => {
    await expect(
      Trilobite.connect({ baseUrl: 'nonsense' }, { connect: vi.fn() as never }),
    ).rejects.toMatchObject({
      name: 'EndpointError',
    })
  })
})

describe('models by name', () => {
  test.each<[string, ModelSource]>([
    ['llava-hf/llava-1.5-7b-hf', { kind: 'hub', repo: 'llava-hf/llava-1.5-7b-hf' }],
    ['a/b@v1.0', { kind: 'hub', repo: 'a/b', revision: 'v1.0' }],
    ['https://x.example/m/', { kind: 'url', baseUrl: 'https://x.example/m/' }],
    ['./models/nano', { kind: 'url', baseUrl: './models/nano' }],
    ['/models/nano', { kind: 'url', baseUrl: '/models/nano' }],
  ])('%s', (text, source) => expect(modelSource(text)).toEqual(source))

  test('addresses are relative to the page, where there is one', () => {
    vi.stubGlobal('document', { baseURI: 'https://page.example/shop/index.html' })
    try {
      const base = (text: string) => modelSource(text) as { baseUrl: string }
      expect(base('./nano').baseUrl).toBe('https://page.example/shop/nano')
      expect(base('../a/b').baseUrl).toBe('https://page.example/a/b')
      expect(base('/nano/').baseUrl).toBe('https://page.example/nano/')
    } finally {
      vi.unstubAllGlobals()
    }
  })

  test('addresses are relative to the script, in a worker', () => {
    vi.stubGlobal('location', { href: 'https://page.example/shop/worker.js' })
    try {
      const base = (text: string) => modelSource(text) as { baseUrl: string }
      expect(base('./nano').baseUrl).toBe('https://page.example/shop/nano')
      expect(base('/nano/').baseUrl).toBe('https://page.example/nano/')
      const data = absoluteData({ kind: 'zip-url', url: 'pairs.zip', name: 'pairs' })
      expect(data).toMatchObject({ url: 'https://page.example/shop/pairs.zip' })
      vi.stubGlobal('document', { baseURI: 'https://other.example/' })
      expect(base('./nano').baseUrl).toBe('https://other.example/nano')
    } finally {
      vi.unstubAllGlobals()
    }
  })

  test.each(['blob:https://page.example/5b1c', 'data:text/javascript,1'])(
    'addresses stay as they are in a worker made from code, at %s',
    (href) => {
      vi.stubGlobal('location', { href })
      try {
        for (const baseUrl of ['./nano', '/nano', 'https://x.example/m'])
          expect(modelSource(baseUrl)).toEqual({ kind: 'url', baseUrl })
      } finally {
        vi.unstubAllGlobals()
      }
    },
  )

  test('sources pass as they are', () => {
    const source: ModelSource = { kind: 'hub', repo: 'a/b' }
    expect(modelSource(source)).toBe(source)
  })

  test.each(['llava', '', 'a/b/c', 'ftp://x'])('%s is refused with what is expected', (text) => {
    expect(() => modelSource(text)).toThrow(/should be "owner\/name"/)
  })
})

describe('loading', () => {
  test('options get their defaults, progress comes through', async () => {
    const load = vi.fn(async (_source: ModelSource, _options: LoadOptions, onProgress) => {
      onProgress({ phase: 'ready' })
      return {} as never
    })
    const phases: string[] = []
    const trilobite = await engine({ load: load as EngineClient['load'] }).open()
    await trilobite.load('a/b', { contextLength: 512, onProgress: ({ phase }) => phases.push(phase) })
    expect(load.mock.calls[0]!.slice(0, 2)).toEqual([
      { kind: 'hub', repo: 'a/b' },
      { dtype: 'auto', contextLength: 512 },
    ])
    expect(phases).toEqual(['ready'])
  })

  test('a signal cancels it, before and during', async () => {
    const { open, calls } = engine({ load: () => new Promise(() => {}) })
    const trilobite = await open()
    const stop = new AbortController()
    void trilobite.load('a/b', { signal: stop.signal })
    stop.abort()
    expect(calls.cancelled).toBe(1)
    await expect(trilobite.load('a/b', { signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('a signal that is aborted as the engine closes fails nothing but the load', async () => {
    const closed = async () => {
      throw new TrilobiteError('AbortError', 'closed')
    }
    const stop = new AbortController()
    const loading = (await engine({ load: closed, cancelLoad: closed }).open()).load('a/b', {
      signal: stop.signal,
    })
    stop.abort()
    await expect(loading).rejects.toThrow('closed')
  })
})

describe('asking', () => {
  test('an answer is read event by event, and as a whole', async () => {
    const { open, calls } = engine()
    const trilobite = await open()
    const answer = trilobite.ask({ text: 'What is it?', images: [new Blob(['x'])] }, { maxNewTokens: 8 })
    const texts: string[] = []
    for await (const text of answer.text()) texts.push(text)
    expect(texts).toEqual(['A ', 'star', '.'])
    expect((await answer.reply).text).toBe('A star.')
    const [{ messages, sampling, maxNewTokens }] = calls.asked as [AskRequest]
    expect(messages).toMatchObject([{ role: 'user', text: 'What is it?', images: [{ blob: { size: 1 } }] }])
    expect(messages[0]!.images![0]!.id).toMatch(/^[0-9a-f-]{36}$/)
    expect([sampling.temperature, maxNewTokens]).toEqual([0, 8])
    expect(calls.aborts).toBe(0)
  })

  test('events that come later are waited for', async () => {
    const { open } = engine({
      ask: async (_request, onEvent) => {
        for (let i = 0; i < 3; i++) {
          await new Promise((resolve) => setTimeout(resolve, 1))
          onEvent(token(String(i), i))
        }
        return reply('012')
      },
    })
    const seen: string[] = []
    for await (const event of (await open()).ask('Count.')) if (event.type === 'token') seen.push(event.text)
    expect(seen).toEqual(['0', '1', '2'])
  })

  test('leaving the loop stops the answer, which keeps what was said', async () => {
    let end: (reply: Reply) => void = () => {}
    const { open, calls } = engine({
      ask: (_request, onEvent) => {
        onEvent(token('A ', 0))
        return new Promise((resolve) => (end = resolve))
      },
      abort: async () => {
        calls.aborts++
        end(reply('A ', 'aborted'))
      },
    })
    const answer = (await open()).ask('What is it?')
    for await (const event of answer) {
      expect(event.type).toBe('token')
      break
    }
    expect(calls.aborts).toBe(1)
    expect(await answer.reply).toMatchObject({ text: 'A ', finish: 'aborted' })
  })

  test('a signal stops it', async () => {
    const { open, calls } = engine({ ask: () => new Promise(() => {}) })
    const stop = new AbortController()
    ;(await open()).ask('What is it?', { signal: stop.signal })
    stop.abort()
    expect(calls.aborts).toBe(1)
  })

  test('a failed answer fails loop and reply alike', async () => {
    const { open } = engine({
      ask: async () => {
        throw new TrilobiteError('ContextOverflowError', 'too long')
      },
    })
    const answer = (await open()).ask('What is it?')
    const loop = async () => {
      for await (const event of answer) expect(event).toBeUndefined()
    }
    await expect(loop()).rejects.toMatchObject({ name: 'ContextOverflowError' })
    await expect(answer.reply).rejects.toThrow('too long')
  })
})

describe('training', () => {
  const request = {
    name: 'run',
    dataset: { kind: 'zip-url', url: '/pairs.zip', name: 'pairs' },
  } as TrainingRequest

  test('a run is read event by event, its data found from the page', async () => {
    vi.stubGlobal('document', { baseURI: 'https://page.example/' })
    const train = vi.fn(async (_request: TrainingRequest, onEvent: (event: TrainingEvent) => void) => {
      onEvent({ type: 'checkpoint', step: 1 })
      return { id: 'r', state: 'done' } as unknown as RunInfo
    })
    const run = (await engine({ train }).open()).train(request)
    vi.unstubAllGlobals()
    const events: TrainingEvent[] = []
    for await (const event of run) events.push(event)
    expect(events).toEqual([{ type: 'checkpoint', step: 1 }])
    expect(await run.result).toMatchObject({ id: 'r' })
    expect(train.mock.calls[0]![0].dataset).toMatchObject({ url: 'https://page.example/pairs.zip' })
  })

  test('leaving the loop stops it; pausing is told apart', async () => {
    const actions: string[] = []
    let end: (run: RunInfo) => void = () => {}
    const trilobite = await engine({
      resumeTraining: (_run, _data, onEvent) => {
        onEvent({ type: 'checkpoint', step: 1 })
        return new Promise((resolve) => (end = resolve))
      },
      controlTraining: async (action) => {
        actions.push(action)
        end({ state: action } as unknown as RunInfo)
      },
    }).open()
    const left = trilobite.resume('r', request.dataset)
    for await (const event of left) {
      expect(event.type).toBe('checkpoint')
      break
    }
    expect(await left.result).toEqual({ state: 'stop' })
    const paused = trilobite.resume('r', request.dataset)
    await paused.pause()
    expect(await paused.result).toEqual({ state: 'pause' })
    expect(actions).toEqual(['stop', 'pause'])
  })
})

test('a probe keeps no engine', async () => {
  const problem = { name: 'UnsupportedDeviceError' as const, message: 'no WebGPU here' }
  let disposed = 0
  const client = {
    probe: async () => ({ ok: false, problem }),
    dispose: () => disposed++,
  } as unknown as EngineClient
  expect(await Trilobite.probe({ connect: () => client })).toEqual({ ok: false, problem })
  expect(disposed).toBe(1)
})
