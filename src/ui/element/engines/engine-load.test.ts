import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LoadProgress } from '../../../worker/api'
import { info, named, settle, Stage, url, watchEnd } from './engine-fake.testing'

afterEach(() => vi.unstubAllGlobals())

let stage: Stage
beforeEach(() => {
  stage = new Stage()
})

const weights = (doneBytes: number) => ({ phase: 'weights', doneBytes }) as LoadProgress

describe('sharing a model', () => {
  test('two that load the same at the same moment share one engine and one load', async () => {
    const loads = [stage.lease().load('a'), stage.lease().load('a')]
    expect(stage.engines).toHaveLength(1)
    const engine = stage.engines[0]!
    expect(engine.names).toEqual(['load'])
    engine.progress({ phase: 'compile', done: 1, total: 2 })
    engine.progress({ phase: 'ready' })
    engine.last('load').resolve(info('a'))
    await settle()
    expect(loads.map(({ end }) => end.value)).toEqual([info('a'), info('a')])
    expect(loads.map(({ phases }) => phases)).toEqual([
      ['compile', 'ready'],
      ['compile', 'ready'],
    ])
    // The page tells one load from the next by the identity of its model.
    expect(loads[0]!.end.value).not.toBe(loads[1]!.end.value)
  })

  test('who comes later is told the progress so far, then what follows', async () => {
    stage.lease().load('a')
    const engine = stage.engines[0]!
    engine.progress({ phase: 'config', file: 'config.json' })
    engine.progress(weights(1))
    engine.progress(weights(2))
    engine.progress({ phase: 'config', file: 'tokenizer.json' })
    const told: LoadProgress[] = []
    void stage
      .lease()
      .lease.load(url('a'), { dtype: 'q8' }, (progress) => told.push(progress))
      .catch(() => {})
    // Of each phase the last, in the order they came.
    expect(told).toEqual([weights(2), { phase: 'config', file: 'tokenizer.json' }])
    engine.progress(weights(3))
    expect(told.at(-1)).toEqual(weights(3))
    expect(told).toHaveLength(3)
  })

  test('who cancels at the first word is told no more', () => {
    stage.lease().load('a')
    stage.engines[0]!.progress({ phase: 'config', file: 'config.json' })
    stage.engines[0]!.progress(weights(1))
    const { lease } = stage.lease()
    const onProgress = vi.fn(() => void lease.cancelLoad())
    watchEnd(lease.load(url('a'), { dtype: 'q8' }, onProgress))
    expect(onProgress).toHaveBeenCalledOnce()
    expect(stage.engines[0]!.names).toEqual(['load'])
  })

  test('a loaded model is ready at once', async () => {
    const { engine } = await stage.loaded('a')
    const { end, phases } = stage.lease().load('a')
    expect(phases).toEqual(['ready'])
    await settle()
    expect(end.value).toEqual(info('a'))
    expect(engine.names).toEqual(['load'])
  })

  test('a lease moves to where its model is, and the engine that it leaves closes', async () => {
    const first = await stage.loaded('a')
    const second = await stage.loaded('b')
    expect(stage.engines).toHaveLength(2)
    const { end } = second.load('a')
    await settle()
    expect(end.value).toEqual(info('a'))
    expect(second.engine.names).toEqual(['load', 'close'])
    expect(stage.pool.size).toBe(1)
    const { tokens } = second.ask()
    first.engine.say('here')
    expect(tokens).toEqual(['here'])
  })

  test('a listener that throws keeps nobody else from being told', () => {
    const report = vi.fn()
    vi.stubGlobal('reportError', report)
    const fault = new Error('listener')
    const bad = () => {
      throw fault
    }
    void stage.lease().lease.load(url('a'), { dtype: 'q8' }, bad)
    const { phases } = stage.lease().load('a')
    stage.engines[0]!.progress(weights(1))
    expect(phases).toEqual(['weights'])
    expect(report).toHaveBeenCalledWith(fault)
  })
})

describe('another model', () => {
  test('takes the place of one that nobody else uses', async () => {
    const { load, engine } = await stage.loaded('a')
    watchEnd(stage.lease().lease.probe())
    const { end } = load('b')
    expect(stage.engines).toHaveLength(1)
    engine.last('load').resolve(info('b'))
    await settle()
    expect(end.value).toEqual(info('b'))
    expect(engine.all('load').map(({ args }) => args[0])).toEqual([url('a'), url('b')])
    // The key is the new one's.
    stage.lease().load('b')
    expect(stage.engines).toHaveLength(1)
    stage.lease().load('a')
    expect(stage.engines).toHaveLength(2)
  })

  test('opens a fresh engine where others use theirs', async () => {
    const first = await stage.loaded('a')
    const second = stage.lease()
    second.load('a')
    const { end } = second.load('b')
    expect(stage.engines).toHaveLength(2)
    expect(first.engine.names).toEqual(['load'])
    stage.engines[1]!.last('load').resolve(info('b'))
    await settle()
    expect(end.value).toEqual(info('b'))
    const { tokens } = first.ask()
    first.engine.say('still here')
    expect(tokens).toEqual(['still here'])
  })

  test('an engine without a model is taken before a fresh one is opened', async () => {
    await stage.loaded('a')
    const second = await stage.loaded('b')
    watchEnd(stage.lease().lease.probe())
    void second.lease.unload()
    stage.lease().load('c')
    expect(stage.engines).toHaveLength(2)
    expect(second.engine.names).toEqual(['load', 'unload', 'load'])
  })

  test('ends a first load that still runs, in the engine too', async () => {
    const { load } = stage.lease()
    const first = load('a')
    const second = load('b')
    const engine = stage.engines[0]!
    expect(engine.names).toEqual(['load', 'cancelLoad', 'load'])
    engine.all('load')[0]!.reject(named('AbortError'))
    await settle()
    expect(first.end.error?.name).toBe('AbortError')
    expect(second.end.isOver).toBe(false)
    expect(engine.all('unload')).toHaveLength(0)
    engine.last('load').resolve(info('b'))
    await settle()
    expect(second.end.value).toEqual(info('b'))
    expect(stage.engines).toHaveLength(1)
  })

  test('leaves a first load alone that others wait for', async () => {
    const first = stage.lease()
    const second = stage.lease()
    const mine = first.load('a')
    const theirs = second.load('a')
    first.load('b')
    expect(stage.engines.map(({ names }) => names)).toEqual([['load'], ['load']])
    stage.engines[0]!.last('load').resolve(info('a'))
    await settle()
    expect([mine.end.error?.name, theirs.end.value]).toEqual(['AbortError', info('a')])
  })

  test('the same model asked for twice by one lease is loaded once', async () => {
    const { load } = stage.lease()
    const first = load('a')
    const second = load('a')
    const engine = stage.engines[0]!
    expect(engine.names).toEqual(['load'])
    engine.last('load').resolve(info('a'))
    await settle()
    expect([first.end.error?.name, second.end.value]).toEqual(['AbortError', info('a')])
  })
})

describe('loads that do not end well', () => {
  test('a failure reaches all, and leaves the engine without key and model', async () => {
    const leases = [stage.lease(), stage.lease()]
    const loads = leases.map(({ load }) => load('a'))
    const engine = stage.engines[0]!
    engine.last('load').reject(named('OutOfMemoryError'))
    await settle()
    expect(loads.map(({ end }) => end.error?.name)).toEqual(['OutOfMemoryError', 'OutOfMemoryError'])
    expect(engine.names).toEqual(['load', 'unload'])
    const again = leases[0]!.load('a')
    expect(again.phases).toEqual([])
    expect(engine.names).toEqual(['load', 'unload', 'load'])
    expect(stage.engines).toHaveLength(1)
  })

  test('cancelling ends only one’s own wait while others wait', async () => {
    const first = stage.lease()
    const second = stage.lease()
    const mine = first.load('a')
    const theirs = second.load('a')
    await first.lease.cancelLoad()
    const engine = stage.engines[0]!
    expect(engine.names).toEqual(['load'])
    engine.progress(weights(1))
    engine.last('load').resolve(info('a'))
    await settle()
    expect(mine).toMatchObject({ phases: [], end: { error: { name: 'AbortError' } } })
    expect(theirs).toMatchObject({ phases: ['weights'], end: { value: info('a') } })
  })

  test('cancelled by the last who waits, it is cancelled in the engine, and can begin anew', async () => {
    const first = stage.lease()
    const second = stage.lease()
    const loads = [first.load('a'), second.load('a')]
    await first.lease.cancelLoad()
    void second.lease.cancelLoad()
    const engine = stage.engines[0]!
    expect(engine.names).toEqual(['load', 'cancelLoad'])
    const again = first.load('a')
    expect(engine.names).toEqual(['load', 'cancelLoad', 'load'])
    engine.all('load')[0]!.reject(named('AbortError'))
    engine.last('load').resolve(info('a'))
    await settle()
    expect(loads.map(({ end }) => end.error?.name)).toEqual(['AbortError', 'AbortError'])
    expect(again.end.value).toEqual(info('a'))
  })

  test('a model that came in spite of its cancelling is freed', async () => {
    const { lease, load } = stage.lease()
    load('a')
    void lease.cancelLoad()
    const engine = stage.engines[0]!
    engine.last('load').resolve(info('a'))
    await settle()
    expect(engine.names).toEqual(['load', 'cancelLoad', 'unload'])
  })

  test('nothing is cancelled once loaded', async () => {
    const { lease, engine } = await stage.loaded('a')
    await lease.cancelLoad()
    expect(engine.names).toEqual(['load'])
  })

  test('a lease disposed under a load leaves it to others', async () => {
    const first = stage.lease()
    const second = stage.lease()
    const mine = first.load('a')
    const theirs = second.load('a')
    first.lease.dispose()
    const engine = stage.engines[0]!
    expect(engine.names).toEqual(['load'])
    engine.progress(weights(1))
    engine.last('load').resolve(info('a'))
    await settle()
    expect(mine).toMatchObject({ phases: [], end: { error: { name: 'AbortError' } } })
    expect(theirs.end.value).toEqual(info('a'))
  })

  test('the only one disposed under its load takes the engine along', async () => {
    const { lease, load } = stage.lease()
    const { end } = load('a')
    lease.dispose()
    const engine = stage.engines[0]!
    expect(engine.names).toEqual(['load', 'close'])
    engine.last('load').reject(named('AbortError'))
    engine.last('close').resolve()
    await settle()
    expect(end.error?.name).toBe('AbortError')
    expect([engine.isDisposed, stage.pool.size]).toEqual([true, 0])
    expect(engine.names).toEqual(['load', 'close'])
  })
})
