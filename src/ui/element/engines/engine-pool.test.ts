import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { EngineClient, TrainingApi } from '../../../worker/client'
import { EngineState } from '../../state/engine.svelte'
import { EnginePool } from './engine-pool'
import { info, named, question, reply, settle, Stage, url, watchEnd } from './engine-fake.testing'

afterEach(() => vi.unstubAllGlobals())

let stage: Stage
beforeEach(() => {
  stage = new Stage()
})

describe('binding', () => {
  test('nothing is started before a call needs an engine', async () => {
    const { lease } = stage.lease()
    await lease.abort()
    await lease.cancelLoad()
    await lease.unload()
    expect(await lease.gpuMemory()).toEqual({ allocatedBytes: 0, peakBytes: 0 })
    await expect(lease.ask(question, () => {})).rejects.toMatchObject({ name: 'ConfigError' })
    await expect(lease.look({ kind: 'word', tokens: [] })).rejects.toMatchObject({ name: 'ConfigError' })
    lease.dispose()
    expect(stage.engines).toHaveLength(0)
    expect(stage.pool.size).toBe(0)
  })

  test('probe and plan open an engine where none lives, and attach to one that does', async () => {
    const first = stage.lease()
    const second = stage.lease()
    const probed = first.lease.probe()
    const planned = second.lease.plan(url('a'), { dtype: 'auto' })
    expect(stage.engines).toHaveLength(1)
    expect(stage.engines[0]!.names).toEqual(['probe', 'plan'])
    expect(stage.engines[0]!.last('plan').args).toEqual([url('a'), { dtype: 'auto' }])
    stage.engines[0]!.last('probe').resolve('report')
    stage.engines[0]!.last('plan').reject(named('NetworkError'))
    expect(await probed).toBe('report')
    await expect(planned).rejects.toMatchObject({ name: 'NetworkError' })
  })

  test('every other call reaches the bound engine with its arguments', async () => {
    const { lease } = stage.lease()
    const calls: [keyof TrainingApi | 'loseDevice' | 'gpuMemory', number][] = [
      ['loseDevice', 0],
      ['gpuMemory', 0],
      ['recipes', 0],
      ['connectorLayouts', 0],
      ['openDataset', 2],
      ['planTraining', 1],
      ['cancelOpening', 0],
      ['train', 2],
      ['resumeTraining', 3],
      ['controlTraining', 1],
      ['runs', 0],
      ['runLog', 1],
      ['renameRun', 2],
      ['deleteRun', 1],
      ['exportRun', 2],
      ['importConnector', 1],
      ['useConnector', 1],
      ['checkGradients', 2],
    ]
    for (const [name, count] of calls) {
      const args = Array.from({ length: count }, (_, at) => `${name} ${at}`)
      const result = (lease[name] as (...args: unknown[]) => Promise<unknown>)(...args)
      expect(stage.engines[0]!.last(name).args).toEqual(args)
      stage.engines[0]!.last(name).resolve(`${name}!`)
      expect(await result).toBe(`${name}!`)
    }
    expect(stage.pool.size).toBe(1)
  })

  test('an engine that cannot be started rejects the call', async () => {
    const pool = new EnginePool(() => {
      throw new Error('no workers here')
    })
    await expect(pool.lease(() => {}).probe()).rejects.toThrow('no workers here')
    expect(pool.size).toBe(0)
  })
})

describe('dispose', () => {
  test('the last lease closes the engine and then disposes it', async () => {
    const first = await stage.loaded('a')
    const second = stage.lease()
    second.load('a')
    await settle()
    first.lease.dispose()
    first.lease.dispose()
    await settle()
    expect(first.engine.names).toEqual(['load'])
    expect(stage.pool.size).toBe(1)
    second.lease.dispose()
    expect(stage.pool.size).toBe(0)
    expect(first.engine.names).toEqual(['load', 'close'])
    await settle()
    expect(first.engine.isDisposed).toBe(false)
    first.engine.last('close').resolve()
    await settle()
    expect(first.engine.isDisposed).toBe(true)
    second.lease.dispose()
    expect(first.engine.all('close')).toHaveLength(1)
  })

  test('a close that fails ends in disposal too', async () => {
    const { lease, engine } = await stage.loaded('a')
    lease.dispose()
    engine.last('close').reject(named('DeviceLostError'))
    await settle()
    expect(engine.isDisposed).toBe(true)
  })

  test('a close that never ends is waited for 2 seconds', async () => {
    const { lease, engine } = await stage.loaded('a')
    vi.useFakeTimers()
    try {
      lease.dispose()
      await vi.advanceTimersByTimeAsync(1999)
      expect(engine.isDisposed).toBe(false)
      await vi.advanceTimersByTimeAsync(1)
      expect(engine.isDisposed).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })

  test('a lease taken while an engine closes starts afresh, and hears nothing of the old one', async () => {
    const first = await stage.loaded('a')
    first.lease.dispose()
    const second = stage.lease()
    const { end } = second.load('a')
    expect(stage.engines).toHaveLength(2)
    first.engine.lose()
    first.engine.crash()
    stage.engines[1]!.last('load').resolve(info('a'))
    await settle()
    expect(end.value).toEqual(info('a'))
    expect(second.onEvent).not.toHaveBeenCalled()
    expect(first.onCrash).not.toHaveBeenCalled()
    expect(stage.pool.size).toBe(1)
  })

  test('the last who uses a model frees it for those who are merely attached', async () => {
    const first = await stage.loaded('a')
    const second = stage.lease()
    watchEnd(second.lease.probe())
    first.lease.dispose()
    expect(first.engine.names).toEqual(['load', 'probe', 'unload'])
    expect([stage.pool.size, first.engine.isDisposed]).toEqual([1, false])
    second.load('b')
    expect(stage.engines).toHaveLength(1)
  })

  test('what is pending rejects, and so does every later call', async () => {
    const { lease, engine } = await stage.loaded('a')
    const other = stage.lease()
    other.load('a')
    const unanswered: Promise<unknown>[] = [
      lease.probe(),
      lease.runs(),
      lease.look({ kind: 'word', tokens: [0] }),
    ]
    const pending = unanswered.map((call) => watchEnd(call))
    lease.dispose()
    await settle()
    expect(pending.map(({ error }) => error?.name)).toEqual(['AbortError', 'AbortError', 'AbortError'])
    const before = engine.calls.length
    const calls: ((client: EngineClient) => Promise<unknown>)[] = [
      (client) => client.probe(),
      (client) => client.plan(url('a'), { dtype: 'q8' }),
      (client) => client.load(url('a'), { dtype: 'q8' }, () => {}),
      (client) => client.cancelLoad(),
      (client) => client.ask(question, () => {}),
      (client) => client.abort(),
      (client) => client.look({ kind: 'word', tokens: [] }),
      (client) => client.unload(),
      (client) => client.watch(() => {}),
      (client) => client.loseDevice(),
      (client) => client.gpuMemory(),
      (client) => client.runs(),
    ]
    for (const call of calls) await expect(call(lease)).rejects.toMatchObject({ name: 'AbortError' })
    expect(engine.calls).toHaveLength(before)
  })
})

describe('unload', () => {
  test('frees the model of the only user, and leaves that of others alone', async () => {
    const first = await stage.loaded('a')
    const second = stage.lease()
    second.load('a')
    await first.lease.unload()
    expect(first.engine.names).toEqual(['load'])
    await expect(first.lease.ask(question, () => {})).rejects.toMatchObject({ name: 'ConfigError' })
    const unloaded = watchEnd(second.lease.unload())
    await settle()
    expect(unloaded.isOver).toBe(false)
    first.engine.last('unload').resolve()
    await settle()
    expect(unloaded).toEqual({ isOver: true, value: undefined })
    expect([stage.pool.size, first.engine.isDisposed]).toEqual([1, false])
    second.load('a')
    expect(first.engine.names).toEqual(['load', 'unload', 'load'])
  })

  test('ends the load of whoever unloads', async () => {
    const { lease, load } = stage.lease()
    const { end } = load('a')
    void lease.unload()
    await settle()
    expect(end.error?.name).toBe('AbortError')
    expect(stage.engines[0]!.names).toEqual(['load', 'unload'])
  })
})

test('the state of a page works on leases as on engines', async () => {
  vi.stubGlobal('navigator', { gpu: {}, onLine: true })
  vi.stubGlobal('isSecureContext', true)
  const states = [1, 2].map(() => new EngineState((onCrash) => stage.pool.lease(onCrash)))
  const target = { label: 'a', source: url('a'), options: { dtype: 'q8' as const } }
  const loads = states.map((state) => state.load(target))
  await settle()
  const engine = stage.engines[0]!
  for (const { resolve } of engine.all('probe')) resolve({ ok: true })
  await settle()
  engine.last('load').resolve(info('a'))
  expect(await Promise.all(loads)).toEqual([true, true])
  expect(engine.names).toEqual(['probe', 'probe', 'load'])

  const asked = states.map((state) => state.ask(question, () => {}))
  await states[1]!.abort()
  expect((await asked[1]!).finish).toBe('aborted')
  engine.last('ask').resolve(reply('Yes.'))
  expect((await asked[0]!).text).toBe('Yes.')

  const cut = watchEnd(states[0]!.ask(question, () => {}))
  engine.lose()
  await settle()
  expect(cut.error?.name).toBe('DeviceLostError')
  expect(states.map(({ status, problem }) => [status, problem?.name])).toEqual([
    ['lost', 'DeviceLostError'],
    ['lost', 'DeviceLostError'],
  ])
  const reloads = states.map((state) => state.reload())
  await settle()
  for (const { resolve } of stage.engines[1]!.all('probe')) resolve({ ok: true })
  await settle()
  stage.engines[1]!.last('load').resolve(info('a'))
  expect(await Promise.all(reloads)).toEqual([true, true])
  expect(stage.engines).toHaveLength(2)
})
