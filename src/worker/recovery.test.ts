import { describe, expect, test, vi } from 'vitest'
import { DeviceLostError } from '../kernels'
import { CheckpointError, NetworkError } from '../model/errors'
import type { EngineEvent, ModelInfo } from './api'
import { Recovery } from './recovery'

const lost = new DeviceLostError('gpu: the device was lost (driver reset).')
const info = { model: 'tiny' } as ModelInfo

function stage(load: (target: string, signal: AbortSignal) => Promise<ModelInfo>) {
  const events: EngineEvent[] = []
  const onGivenUp = vi.fn()
  const waits: number[] = []
  const waitMs = (attempt: number) => (waits.push(attempt), 0)
  const recovery = new Recovery<string>({ load, tell: (event) => events.push(event), onGivenUp }, { waitMs })
  recovery.keep('tiny')
  return { recovery, events, onGivenUp, waits }
}

describe('recovery', () => {
  test('loads what there was, and tells', async () => {
    const { recovery, events } = stage(async () => info)
    recovery.start(lost)
    await recovery.over()
    expect(events).toEqual([
      { type: 'recovering', attempt: 1, attempts: 3 },
      { type: 'ready', model: info },
    ])
    expect([recovery.target, recovery.failure]).toEqual(['tiny', undefined])
  })

  test('tries what may pass again, waiting longer, and gives up in words', async () => {
    const load = vi.fn(() => Promise.reject(new NetworkError('offline')))
    const { recovery, events, onGivenUp, waits } = stage(load)
    recovery.start(lost)
    await recovery.over()
    expect([load.mock.calls.length, waits]).toEqual([3, [1, 2, 3]])
    expect(events.at(-1)).toMatchObject({
      type: 'not-recovered',
      name: 'DeviceLostError',
      message: expect.stringMatching(
        /3 times in a row .* then load it again\. The last failure: offline/,
      ) as string,
    })
    expect(onGivenUp).toHaveBeenCalledOnce()
    expect(recovery.failure).toBeInstanceOf(DeviceLostError)
    recovery.start(lost)
    await recovery.over()
    expect(load).toHaveBeenCalledTimes(3)
  })

  test('gives up at once where trying again is of no use', async () => {
    const { recovery, events } = stage(() => Promise.reject(new CheckpointError('damaged')))
    recovery.start(lost)
    await recovery.over()
    expect(events.at(-1)).toEqual({ type: 'not-recovered', name: 'CheckpointError', message: 'damaged' })
  })

  test('counts losses in a row, and not those that work came between', async () => {
    const { recovery, events } = stage(async () => info)
    const lose = async () => {
      recovery.start(lost)
      await recovery.over()
      return events.at(-1)!.type
    }
    for (let n = 0; n < 5; n++) {
      expect(await lose()).toBe('ready')
      recovery.succeeded()
    }
    expect([await lose(), await lose(), await lose(), await lose()]).toEqual([
      'ready',
      'ready',
      'ready',
      'not-recovered',
    ])
  })

  test.each(['stop', 'cancel'] as const)('%s ends it; only cancel forgets the model', async (end) => {
    const { recovery, events } = stage(
      (_, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(new Error('aborted'))),
        ),
    )
    recovery.start(lost)
    await new Promise((resolve) => setTimeout(resolve, 5))
    recovery[end]()
    await recovery.over()
    expect(recovery.target).toBe(end === 'stop' ? 'tiny' : undefined)
    expect(events.at(-1)!.type).toBe(end === 'stop' ? 'recovering' : 'not-recovered')
    expect(recovery.failure).toBeUndefined()
  })

  test('who waits for it stops waiting by a signal', async () => {
    const { recovery } = stage(() => new Promise(() => {}))
    recovery.start(lost)
    const controller = new AbortController()
    const over = recovery.over(controller.signal)
    controller.abort()
    await over
  })
})
