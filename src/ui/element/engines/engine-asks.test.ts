import { beforeEach, describe, expect, test } from 'vitest'
import type { LookRequest } from '../../../worker/api'
import { reply, settle, Stage, watchEnd } from './engine-fake.testing'

let stage: Stage
beforeEach(() => {
  stage = new Stage()
})

/** Two leases of one engine that both have its model. */
async function couple() {
  const first = await stage.loaded('a')
  const second = stage.lease()
  second.load('a')
  await settle()
  return { first, second, engine: first.engine }
}

const word: LookRequest = { kind: 'word', tokens: [0] }

describe('questions', () => {
  test('are asked one at a time in the order they came, each with tokens of its own', async () => {
    const { first, second, engine } = await couple()
    const asks = [first.ask(), second.ask(), first.ask()]
    for (const text of ['one', 'two', 'three']) {
      expect(engine.all('ask')).toHaveLength(['one', 'two', 'three'].indexOf(text) + 1)
      engine.say(text)
      engine.last('ask').resolve(reply(text))
      await settle()
    }
    expect(asks.map(({ tokens }) => tokens)).toEqual([['one'], ['two'], ['three']])
    expect(asks.map(({ end }) => end.value?.text)).toEqual(['one', 'two', 'three'])
  })

  test('one that fails lets the next begin', async () => {
    const { first, second, engine } = await couple()
    const failing = first.ask()
    const next = second.ask()
    engine.last('ask').reject(Object.assign(new Error('too long'), { name: 'ContextOverflowError' }))
    await settle()
    expect(failing.end.error?.name).toBe('ContextOverflowError')
    engine.last('ask').resolve(reply('next'))
    await settle()
    expect(next.end.value?.text).toBe('next')
  })

  test('need a model that this very lease has loaded', async () => {
    const { engine } = await stage.loaded('a')
    const other = stage.lease()
    watchEnd(other.lease.probe())
    const { end } = other.ask()
    await settle()
    expect(end.error?.name).toBe('ConfigError')
    expect(engine.all('ask')).toHaveLength(0)
  })
})

describe('abort', () => {
  test('ends a running answer of one’s own in the engine', async () => {
    const { first, second, engine } = await couple()
    const mine = first.ask()
    const theirs = second.ask()
    void first.lease.abort()
    expect(engine.all('abort')).toHaveLength(1)
    engine.last('ask').resolve({ ...reply('so fa'), finish: 'aborted' })
    await settle()
    expect(mine.end.value).toMatchObject({ text: 'so fa', finish: 'aborted' })
    engine.last('ask').resolve(reply('whole'))
    await settle()
    expect(theirs.end.value).toEqual(reply('whole'))
    expect(engine.all('abort')).toHaveLength(1)
  })

  test('ends a waiting question at once and leaves the running answer alone', async () => {
    const { first, second, engine } = await couple()
    const theirs = first.ask()
    const mine = second.ask()
    await second.lease.abort()
    await settle()
    expect(mine.end.value).toEqual({
      text: '',
      finish: 'aborted',
      generatedTokens: 0,
      tokenIds: [],
      promptTokenIds: [],
      promptTokens: 0,
      imageTokens: 0,
      reusedTokens: 0,
      prefillMs: 0,
      decodeMs: 0,
      tokensPerSecond: 0,
    })
    expect(theirs.end.isOver).toBe(false)
    expect(engine.all('abort')).toHaveLength(0)
    engine.last('ask').resolve(reply('whole'))
    await settle()
    expect(theirs.end.value).toEqual(reply('whole'))
    expect(engine.all('ask')).toHaveLength(1)
  })

  test('after one’s own answer is a matter of nobody else’s', async () => {
    const { first, second, engine } = await couple()
    first.ask()
    second.ask()
    engine.last('ask').resolve(reply('done'))
    await settle()
    await first.lease.abort()
    expect(engine.all('abort')).toHaveLength(0)
  })

  test('is repeated where the engine begins the answer all the same, and not for the next one', async () => {
    const { first, second, engine } = await couple()
    first.ask()
    const next = second.ask()
    const asked = engine.last('ask')
    void first.lease.abort()
    engine.say('late')
    expect(engine.all('abort')).toHaveLength(2)
    asked.resolve({ ...reply(''), finish: 'aborted' })
    await settle()
    engine.say('later still', asked)
    engine.say('mine')
    expect(engine.all('abort')).toHaveLength(2)
    expect(next.tokens).toEqual(['mine'])
  })

  test('comes with another load', async () => {
    const { first, second, engine } = await couple()
    const running = first.ask()
    const waiting = first.ask()
    const theirs = second.ask()
    first.load('b')
    expect(engine.all('abort')).toHaveLength(1)
    await settle()
    expect(waiting.end.value?.finish).toBe('aborted')
    engine.last('ask').resolve(reply('so far'))
    await settle()
    expect(running.end.value?.text).toBe('so far')
    expect(engine.all('ask')).toHaveLength(2)
    engine.last('ask').resolve(reply('theirs'))
    await settle()
    expect(theirs.end.value?.text).toBe('theirs')
  })

  test('comes before a load in the same engine', async () => {
    const { ask, load, engine } = await stage.loaded('a')
    const asks = [ask(), ask()]
    load('b')
    expect(engine.names).toEqual(['load', 'ask', 'abort', 'unload', 'load'])
    engine.last('ask').resolve(reply('so far'))
    await settle()
    expect(asks.map(({ end }) => end.value)).toMatchObject([{ text: 'so far' }, { finish: 'aborted' }])
  })
})

describe('disposal', () => {
  test('rejects a running question, aborts it, and lets the next begin when the engine is done', async () => {
    const { first, second, engine } = await couple()
    const mine = first.ask()
    const theirs = second.ask()
    const asked = engine.last('ask')
    first.lease.dispose()
    await settle()
    expect(mine.end.error?.name).toBe('AbortError')
    expect(engine.all('abort')).toHaveLength(1)
    expect(engine.all('ask')).toHaveLength(1)
    engine.say('unheard')
    expect(mine.tokens).toEqual([])
    asked.resolve({ ...reply(''), finish: 'aborted' })
    await settle()
    engine.say('heard')
    engine.last('ask').resolve(reply('heard'))
    await settle()
    expect(theirs).toMatchObject({ tokens: ['heard'], end: { value: reply('heard') } })
  })

  test('rejects a waiting question and asks it never', async () => {
    const { first, second, engine } = await couple()
    const theirs = first.ask()
    const mine = second.ask()
    second.lease.dispose()
    await settle()
    expect(mine.end.error?.name).toBe('AbortError')
    expect(engine.all('abort')).toHaveLength(0)
    engine.last('ask').resolve(reply('whole'))
    await settle()
    expect(theirs.end.value?.text).toBe('whole')
    expect(engine.all('ask')).toHaveLength(1)
  })
})

describe('look', () => {
  test('is for the lease whose question the engine took last', async () => {
    const { first, second, engine } = await couple()
    first.ask()
    second.ask()
    // Queued is not asked: the engine still holds the first one's.
    void first.lease.look(word)
    expect(engine.all('look')).toHaveLength(1)
    await expect(second.lease.look(word)).rejects.toMatchObject({ name: 'ConfigError' })
    engine.last('ask').resolve(reply('one'))
    await settle()
    await expect(first.lease.look(word)).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/another chat on this page has asked since.*Regenerate asks again/),
    })
    const looked = second.lease.look(word)
    expect(engine.last('look').args).toEqual([word])
    engine.last('look').resolve({ images: [] })
    expect(await looked).toEqual({ images: [] })
    expect(engine.all('look')).toHaveLength(2)
  })

  test('a question that was stopped before its turn takes nothing from the last answer', async () => {
    const { first, second, engine } = await couple()
    first.ask()
    second.ask()
    await second.lease.abort()
    engine.last('ask').resolve(reply('one'))
    await settle()
    void first.lease.look(word)
    expect(engine.all('look')).toHaveLength(1)
  })

  test('before any question the engine says itself what is wrong', async () => {
    const { lease, engine } = await stage.loaded('a')
    void lease.look(word).catch(() => {})
    expect(engine.all('look')).toHaveLength(1)
  })
})
