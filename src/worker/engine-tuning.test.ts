import { describe, expect, test, vi } from 'vitest'
import { UNTUNED, type Gpu, type Tuner, type Tuning } from '../kernels'
import { MemoryStore } from '../model/testing/memory-store'
import { EngineTuning, type TuningHost } from './engine-tuning'

const found: Tuning = { ...UNTUNED, products: { 'q8 some': 'packed', 'f16 many': 'rows4' } }

function fakeGpu({ isSoftware = false, packedDot = true, description = 'a GPU' } = {}): Gpu {
  return {
    adapter: { vendor: 'v', architecture: 'a', description },
    caps: { isSoftware, packedDot, maxWorkgroupBytes: 32768 },
    tuning: UNTUNED,
  } as unknown as Gpu
}

/** Ends when told to, or with the signal. */
class FakeTuner implements Tuner {
  readonly signals: AbortSignal[] = []
  private settle: { resolve(tuning: Tuning): void; reject(error: unknown): void } | undefined

  run(signal: AbortSignal): Promise<Tuning> {
    this.signals.push(signal)
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
      this.settle = { resolve, reject }
    })
  }

  finish = () => this.settle!.resolve(found)
  fail = () => this.settle!.reject(new Error('no memory'))
}

function setUp(gpu = fakeGpu(), host: Partial<TuningHost> = {}) {
  const tuner = new FakeTuner()
  const store = new MemoryStore()
  const compiled: Tuning[] = []
  const tasks: Promise<void>[] = []
  const model = {
    vlm: { gpu },
    async tune(tuning: Tuning, signal: AbortSignal) {
      compiled.push(tuning)
      await Promise.resolve()
      signal.throwIfAborted()
      gpu.tuning = tuning
    },
  }
  const tuning = new EngineTuning({
    store: async () => store,
    tunerFor: () => tuner,
    idleMs: 0,
    model: () => model,
    whenIdle: (task) => void tasks.push(task()),
    ...host,
  })
  /** Waits as long as an idle device waits, and for the tasks that came of it. */
  const idle = async () => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    return tasks.length
  }
  return { gpu, tuner, store, compiled, tuning, idle, tasks }
}

describe('tuning a device', () => {
  test('begins some time after a reply, compiles what the model uses, and is kept for the next visit', async () => {
    const { gpu, tuner, store, compiled, tuning, idle, tasks } = setUp()
    await tuning.recall(gpu)
    expect(gpu.tuning).toBe(UNTUNED)
    tuning.afterReply()
    expect(tuner.signals).toEqual([])
    await idle()
    expect(tuner.signals.length).toBe(1)
    expect(compiled).toEqual([])
    tuner.finish()
    await tasks[0]
    expect(compiled).toEqual([found])
    expect(gpu.tuning).toEqual(found)
    await vi.waitFor(() => expect(store.files.size).toBe(1))

    // Nothing is measured again, in this visit or in the next.
    tuning.afterReply()
    expect(await idle()).toBe(1)
    const later = setUp(fakeGpu(), { store: async () => store })
    await later.tuning.recall(later.gpu)
    expect(later.gpu.tuning).toEqual(found)
    later.tuning.afterReply()
    expect(await later.idle()).toBe(0)
  })

  test('is for adapters of one name, and holds what a device can run', async () => {
    const { gpu, tuner, store, tuning, tasks, idle } = setUp()
    tuning.afterReply()
    await idle()
    tuner.finish()
    await tasks[0]
    await vi.waitFor(() => expect(store.files.size).toBe(1))
    const other = setUp(fakeGpu({ description: 'another' }), { store: async () => store })
    await other.tuning.recall(other.gpu)
    expect(other.gpu.tuning).toBe(UNTUNED)
    const lesser = setUp(fakeGpu({ packedDot: false }), { store: async () => store })
    await lesser.tuning.recall(lesser.gpu)
    expect(lesser.gpu.tuning.products).toEqual({ 'f16 many': 'rows4' })
    expect(gpu.tuning).toEqual(found)
  })

  test('makes way at once for what is asked, and goes on after the next reply', async () => {
    const { gpu, tuner, compiled, tuning, idle, tasks } = setUp()
    // Asked before the device was idle for long enough.
    tuning.afterReply()
    tuning.interrupt()
    expect(await idle()).toBe(0)
    tuning.afterReply()
    await idle()
    tuning.interrupt()
    expect(tuner.signals[0]!.aborted).toBe(true)
    await tasks[0]
    expect(gpu.tuning).toBe(UNTUNED)
    tuning.afterReply()
    await idle()
    expect(tuner.signals.length).toBe(2)
    tuner.finish()
    // Compiling makes way too.
    await Promise.resolve()
    expect(compiled.length).toBe(1)
    tuning.interrupt()
    await tasks[1]
    expect(gpu.tuning).toBe(UNTUNED)
    tuning.afterReply()
    await idle()
    tuner.finish()
    await tasks[2]
    expect(gpu.tuning).toEqual(found)
  })

  test('that waits for its turn does not begin once something is asked', async () => {
    const waiting: (() => Promise<void>)[] = []
    const { tuner, tuning, idle } = setUp(fakeGpu(), { whenIdle: (task) => void waiting.push(task) })
    tuning.afterReply()
    await idle()
    tuning.interrupt()
    await waiting[0]!()
    expect(tuner.signals).toEqual([])
  })

  test('that fails is not tried again, and the usual kernels stay', async () => {
    const { gpu, tuner, store, tuning, idle, tasks } = setUp()
    tuning.afterReply()
    await idle()
    tuner.fail()
    await tasks[0]
    tuning.afterReply()
    expect(await idle()).toBe(1)
    expect(gpu.tuning).toBe(UNTUNED)
    expect(store.files.size).toBe(0)
  })

  test('is never done by itself for software', async () => {
    const { gpu, store, tuning, idle } = setUp(fakeGpu({ isSoftware: true }))
    const read = vi.spyOn(store, 'read')
    await tuning.recall(gpu)
    tuning.afterReply()
    expect(await idle()).toBe(0)
    expect(read).not.toHaveBeenCalled()
  })

  test.each([
    ['cannot be opened', async () => Promise.reject(new Error('private mode'))],
    [
      'holds something else',
      async () => {
        const store = new MemoryStore()
        store.read = async () => new Blob(['{"version":']).stream()
        return store
      },
    ],
  ])('does without a store that %s', async (_, store) => {
    const { gpu, tuner, tuning, idle, tasks } = setUp(fakeGpu(), { store })
    await tuning.recall(gpu)
    tuning.afterReply()
    await idle()
    tuner.finish()
    await tasks[0]
    expect(gpu.tuning).toEqual(found)
  })

  test('can be asked for, and is kept by then', async () => {
    const { gpu, tuner, store, tuning } = setUp()
    const measured = tuning.measure(gpu)
    tuner.finish()
    expect(await measured).toEqual(found)
    expect(gpu.tuning).toEqual(found)
    expect(store.files.size).toBe(1)
  })
})
