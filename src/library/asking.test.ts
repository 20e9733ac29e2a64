import { beforeEach, describe, expect, test } from 'vitest'
import type { AskEvent, AskRequest, Reply } from '../worker/api'
import type { EngineClient } from '../worker/client'
import { emptyReply } from '../worker/empty-reply'
import { Trilobite, TrilobiteError } from './trilobite'

const CLOSED = new TrilobiteError('AbortError', 'worker: the engine was closed before it answered')

/** An engine whose answers end when a test says so, or all at once by `abort` and what else ends them in the real one. */
class SlowEngine {
  readonly asked: string[] = []
  aborts = 0
  private isDisposed = false
  private readonly answering = new Map<
    string,
    { resolve: (reply: Reply) => void; reject: (error: Error) => void }
  >()

  /** Ends an answer, and lets everybody hear of it. */
  async finish(text: string, finish: Reply['finish'] = 'stop') {
    this.answering.get(text)!.resolve({ ...emptyReply(0), text: `re: ${text}`, finish })
    this.answering.delete(text)
    await new Promise((resolve) => setTimeout(resolve))
  }

  fail(text: string, error: Error) {
    this.answering.get(text)!.reject(error)
    this.answering.delete(text)
  }

  private endAll = async () => {
    for (const text of this.answering.keys()) void this.finish(text, 'aborted')
  }

  readonly client = {
    probe: async () => ({ ok: true }),
    ask: ({ messages: [message] }: AskRequest, onEvent: (event: AskEvent) => void) => {
      const text = message!.text
      this.asked.push(text)
      if (this.isDisposed) return Promise.reject(CLOSED)
      onEvent({ type: 'token', text, tokenId: 0, index: 0 })
      return new Promise((resolve, reject) => this.answering.set(text, { resolve, reject }))
    },
    abort: async () => {
      if (this.isDisposed) throw CLOSED
      this.aborts++
      await this.endAll()
    },
    load: this.endAll,
    unload: this.endAll,
    dispose: () => {
      this.isDisposed = true
      for (const text of this.answering.keys()) this.fail(text, CLOSED)
    },
  } as unknown as EngineClient
}

let engine: SlowEngine
let trilobite: Trilobite
beforeEach(async () => {
  engine = new SlowEngine()
  trilobite = await Trilobite.open({ connect: () => engine.client })
})

const whole = (text: string) => ({ text: `re: ${text}`, finish: 'stop' })
const cut = (text: string) => ({ text: `re: ${text}`, finish: 'aborted' })

describe('answers', () => {
  test('wait for their turn, in the order they were asked', async () => {
    const answers = ['a', 'b', 'c'].map((text) => trilobite.ask(text))
    expect(engine.asked).toEqual(['a'])
    await engine.finish('a')
    expect(engine.asked).toEqual(['a', 'b'])
    await engine.finish('b')
    await engine.finish('c')
    for (const [i, text] of ['a', 'b', 'c'].entries()) {
      expect(await answers[i]!.reply).toMatchObject(whole(text))
    }
  })

  test('that fail let the next begin', async () => {
    const failing = trilobite.ask('a')
    const next = trilobite.ask('b')
    engine.fail('a', new TrilobiteError('ContextOverflowError', 'too long'))
    await expect(failing.reply).rejects.toThrow('too long')
    await engine.finish('b')
    expect(await next.reply).toMatchObject(whole('b'))
  })

  test('fail where the engine refuses them at once, and let the next begin', async () => {
    const { ask } = engine.client
    engine.client.ask = () => {
      engine.client.ask = ask
      throw new TrilobiteError('ConfigError', 'no model')
    }
    const failing = trilobite.ask('a')
    const next = trilobite.ask('b')
    await expect(failing.reply).rejects.toThrow('no model')
    await engine.finish('b')
    expect(await next.reply).toMatchObject(whole('b'))
  })
})

/** The ways to end one answer, each of a question that is asked by `ask`. */
const ENDS: [string, (text: string) => { reply: Promise<Reply>; end: () => Promise<void> | void }][] = [
  [
    'its signal',
    (text) => {
      const stop = new AbortController()
      return { reply: trilobite.ask(text, { signal: stop.signal }).reply, end: () => stop.abort() }
    },
  ],
  [
    'stop()',
    (text) => {
      const answer = trilobite.ask(text)
      return { reply: answer.reply, end: () => answer.stop() }
    },
  ],
]

describe.each(ENDS)('%s', (_name, ask) => {
  test('ends a waiting answer alone, at once, and it is never asked', async () => {
    const running = trilobite.ask('a')
    const { reply, end } = ask('b')
    const last = trilobite.ask('c')
    await end()
    expect(await reply).toEqual(emptyReply(0))
    expect(engine.aborts).toBe(0)
    await engine.finish('a')
    await engine.finish('c')
    expect(await running.reply).toMatchObject(whole('a'))
    expect(await last.reply).toMatchObject(whole('c'))
    expect(engine.asked).toEqual(['a', 'c'])
  })

  test('ends the running answer alone', async () => {
    const { reply, end } = ask('a')
    const next = trilobite.ask('b')
    await end()
    expect(await reply).toMatchObject(cut('a'))
    await engine.finish('b')
    expect(await next.reply).toMatchObject(whole('b'))
    expect(engine.aborts).toBe(1)
  })

  test('ends nothing once the answer is there', async () => {
    const { reply, end } = ask('a')
    const next = trilobite.ask('b')
    await engine.finish('a')
    await end()
    expect(engine.aborts).toBe(0)
    await engine.finish('b')
    expect(await reply).toMatchObject(whole('a'))
    expect(await next.reply).toMatchObject(whole('b'))
  })
})

test('leaving the loop of an answer ends that one alone', async () => {
  const left = trilobite.ask('a')
  const next = trilobite.ask('b')
  for await (const event of left) {
    expect(event.type).toBe('token')
    break
  }
  expect(await left.reply).toMatchObject(cut('a'))
  await engine.finish('b')
  expect(await next.reply).toMatchObject(whole('b'))
})

test('a stopped answer that never began has a loop without events', async () => {
  trilobite.ask('a')
  const answer = trilobite.ask('b')
  await answer.stop()
  for await (const event of answer) expect(event).toBeUndefined()
})

test('one signal ends all its answers', async () => {
  const stop = new AbortController()
  const answers = ['a', 'b', 'c'].map((text) => trilobite.ask(text, { signal: stop.signal }))
  stop.abort()
  const replies = await Promise.all(answers.map(({ reply }) => reply))
  expect(replies).toMatchObject([cut('a'), emptyReply(0), emptyReply(0)])
  expect(engine.asked).toEqual(['a'])
})

test('a signal that was aborted before asks nothing', async () => {
  const running = trilobite.ask('a')
  const answer = trilobite.ask('b', { signal: AbortSignal.abort() })
  expect(await answer.reply).toEqual(emptyReply(0))
  await engine.finish('a')
  expect(await running.reply).toMatchObject(whole('a'))
  expect(await trilobite.ask('c', { signal: AbortSignal.abort() }).reply).toEqual(emptyReply(0))
  expect([engine.asked, engine.aborts]).toEqual([['a'], 0])
})

describe('all answers', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['abort()', () => trilobite.abort()],
    ['load()', () => trilobite.load('owner/name')],
    ['unload()', () => trilobite.unload()],
  ])('%s ends the running one and those that wait', async (_name, end) => {
    const answers = ['a', 'b', 'c'].map((text) => trilobite.ask(text))
    await end()
    const replies = await Promise.all(answers.map(({ reply }) => reply))
    expect(replies).toMatchObject([cut('a'), emptyReply(0), emptyReply(0)])
    const next = trilobite.ask('d')
    await engine.finish('d')
    expect(await next.reply).toMatchObject(whole('d'))
    expect(engine.asked).toEqual(['a', 'd'])
  })

  test('a load that cannot begin ends none', async () => {
    const answers = ['a', 'b'].map((text) => trilobite.ask(text))
    await expect(trilobite.load('nothing')).rejects.toThrow(TypeError)
    await expect(trilobite.load('a/b', { signal: AbortSignal.abort() })).rejects.toThrow('cancelled')
    await engine.finish('a')
    await engine.finish('b')
    expect(await Promise.all(answers.map(({ reply }) => reply))).toMatchObject([whole('a'), whole('b')])
  })

  test('close() rejects them with AbortError, and those that wait are never asked', async () => {
    const answers = ['a', 'b', 'c'].map((text) => trilobite.ask(text))
    trilobite.close()
    for (const { reply } of answers) await expect(reply).rejects.toMatchObject({ name: 'AbortError' })
    expect(engine.asked).toEqual(['a'])
    await expect(trilobite.ask('d').reply).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('a signal that is aborted as the engine closes fails nothing else', async () => {
    const stop = new AbortController()
    const { reply } = trilobite.ask('a', { signal: stop.signal })
    trilobite.close()
    stop.abort()
    await expect(reply).rejects.toMatchObject({ name: 'AbortError' })
  })
})
