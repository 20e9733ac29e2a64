import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { info, named, reply, settle, Stage, watchEnd } from './engine-fake.testing'

afterEach(() => vi.unstubAllGlobals())

let stage: Stage
beforeEach(() => {
  stage = new Stage()
})

/** Two users of one engine, one that is attached to it, and one elsewhere. */
async function company() {
  const first = await stage.loaded('a')
  const second = stage.lease()
  second.load('a')
  const attached = stage.lease()
  watchEnd(attached.lease.probe())
  const elsewhere = await stage.loaded('b')
  expect(elsewhere.engine).not.toBe(first.engine)
  return { first, second, attached, elsewhere, engine: first.engine }
}

describe('a lost device', () => {
  test('is told once to every lease of that engine, and then the engine is disposed', async () => {
    const { first, second, attached, elsewhere, engine } = await company()
    first.onEvent.mockImplementation(() => expect(engine.isDisposed).toBe(false))
    engine.lose()
    engine.lose()
    engine.crash()
    expect(stage.pool.size).toBe(1)
    expect(engine.isDisposed).toBe(true)
    for (const { onEvent, onCrash } of [first, second, attached]) {
      expect(onEvent.mock.calls).toMatchObject([[{ type: 'device-lost', message: 'driver reset' }]])
      expect(onCrash).not.toHaveBeenCalled()
    }
    expect(elsewhere.onEvent).not.toHaveBeenCalled()
    expect(elsewhere.engine.isDisposed).toBe(false)
  })

  test('that its engine brings back is told, and the engine stays', async () => {
    const { first, second, engine } = await company()
    const { end } = first.ask()
    engine.emit({ type: 'device-lost', reason: 'lost', message: 'driver reset', recovers: true })
    engine.emit({ type: 'ready', model: info('a') })
    engine.last('ask').resolve(reply('on'))
    await settle()
    expect(end.value?.text).toBe('on')
    for (const { onEvent } of [first, second])
      expect(onEvent.mock.calls.map(([{ type }]) => type)).toEqual(['device-lost', 'ready'])
    expect(engine.isDisposed).toBe(false)
    engine.emit({ type: 'not-recovered', name: 'DeviceLostError', message: 'given up' })
    expect(engine.isDisposed).toBe(true)
  })

  test('rejects running and waiting questions and loads, and asks nothing more', async () => {
    const { first, second, engine } = await company()
    const asks = [first.ask(), second.ask()]
    const loading = stage.lease()
    const { end } = loading.load('c')
    engine.lose()
    stage.engines.at(-1)!.lose()
    await settle()
    expect(asks.map(({ end }) => end.error)).toMatchObject([
      { name: 'DeviceLostError', message: 'driver reset' },
      { name: 'DeviceLostError', message: 'driver reset' },
    ])
    expect(end.error?.name).toBe('DeviceLostError')
    expect(engine.all('ask')).toHaveLength(1)
    expect(engine.all('unload')).toHaveLength(0)
  })

  test('the next load opens a fresh engine, which all share again', async () => {
    const { first, second, engine } = await company()
    engine.lose()
    const loads = [first.load('a'), second.load('a')]
    expect(stage.engines).toHaveLength(3)
    stage.engines[2]!.last('load').resolve(info('a'))
    await settle()
    expect(loads.map(({ end }) => end.value)).toEqual([info('a'), info('a')])
    const { end } = second.ask()
    stage.engines[2]!.last('ask').resolve(reply('back'))
    await settle()
    expect(end.value?.text).toBe('back')
    first.lease.dispose()
    second.lease.dispose()
    expect(stage.pool.size).toBe(1)
  })

  test('one that is told may load at once, or dispose another before that is told', async () => {
    const { first, second, engine } = await company()
    first.onEvent.mockImplementation(() => {
      second.lease.dispose()
      first.load('a')
    })
    engine.lose()
    expect(second.onEvent).not.toHaveBeenCalled()
    expect(stage.engines).toHaveLength(3)
    expect(stage.engines[2]!.names).toEqual(['load'])
    expect([engine.isDisposed, stage.pool.size]).toEqual([true, 2])
  })

  test('a listener that throws keeps nobody else from being told', async () => {
    const { first, second, engine } = await company()
    const report = vi.fn()
    vi.stubGlobal('reportError', report)
    first.onEvent.mockImplementation(() => {
      throw new Error('listener')
    })
    engine.lose()
    expect(report).toHaveBeenCalledOnce()
    expect(second.onEvent).toHaveBeenCalledOnce()
    expect(engine.isDisposed).toBe(true)
  })

  test('every watcher of a lease is told, and none of a disposed one', async () => {
    const { first, second, engine } = await company()
    const also = vi.fn()
    await first.lease.watch(also)
    second.lease.dispose()
    engine.lose()
    expect(also).toHaveBeenCalledOnce()
    expect(first.onEvent).toHaveBeenCalledOnce()
    expect(second.onEvent).not.toHaveBeenCalled()
  })

  test('of an engine that a lease has left is no matter of its own', async () => {
    const { first, engine } = await company()
    first.load('b')
    engine.lose()
    expect(first.onEvent).not.toHaveBeenCalled()
  })
})

describe('a crash', () => {
  test('is told once to every lease of that engine; what is pending rejects with it', async () => {
    const { first, second, attached, elsewhere, engine } = await company()
    const ends = [first.ask(), second.ask()].map(({ end }) => end)
    ends.push(watchEnd(attached.lease.runs()) as never)
    const error = named('WorkerCrashError', 'out of memory')
    engine.crash(error)
    engine.lose()
    await settle()
    expect(ends.map(({ error }) => error)).toEqual([error, error, error])
    for (const { onEvent, onCrash } of [first, second, attached]) {
      expect(onCrash.mock.calls).toEqual([[error]])
      expect(onEvent).not.toHaveBeenCalled()
    }
    expect(elsewhere.onCrash).not.toHaveBeenCalled()
    expect([stage.pool.size, engine.isDisposed]).toEqual([1, true])
    first.load('a')
    expect(stage.engines).toHaveLength(3)
  })

  test('is not told to a lease that is disposed before its turn', async () => {
    const { first, second, engine } = await company()
    first.onCrash.mockImplementation(() => second.lease.dispose())
    engine.crash()
    expect(first.onCrash).toHaveBeenCalledOnce()
    expect(second.onCrash).not.toHaveBeenCalled()
  })
})
