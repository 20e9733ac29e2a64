import { beforeAll, describe, expect, test } from 'vitest'
import { openGpu, type Gpu } from '../kernels'
import { testInstance } from '../kernels/testing/gpu'
import { seededRandom } from '../model/checkpoint/testing/random'
import { MemoryRuns } from '../model/train/run-store'
import type { AskEvent, EngineEvent, Reply } from './api'
import type { Engine } from './engine'
import { freshEngine } from './testing/engines'
import { withGpuCalls } from './testing/gpu-calls'
import { loadSmall, smallDataset, smallQuestion, smallRun, trainedBytes } from './testing/small-work'

/** Each loss compiles a set of kernels anew, which takes SwiftShader most of a minute. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

const LOSSES = 50

/** An engine whose device can be destroyed in the middle of any call, and what it told. */
async function losable(attempts = 3) {
  const runs = new MemoryRuns()
  const events: EngineEvent[] = []
  let gpu: Gpu | undefined
  const engine = freshEngine({
    openDevice: async () => (gpu = await openGpu(testInstance)),
    runs: async () => runs,
    recovery: { attempts, waitMs: () => 0 },
  })
  await engine.watch((event) => events.push(event))
  /** Destroys the device there is, if it still is. */
  const destroy = () => {
    gpu?.device.destroy()
    gpu = undefined
  }
  return { engine, runs, events, destroy, isThere: () => gpu !== undefined }
}

/** What an answer looks like to who reads it as it comes. */
function reader() {
  let text = ''
  const onEvent = (event: AskEvent) => {
    if (event.type === 'restart') text = ''
    if (event.type === 'token') text += event.text
  }
  return { onEvent, text: () => text }
}

describe.skipIf(isSlow)('a device that is destroyed', () => {
  let undisturbed: { reply: Reply; connector: [string, Uint8Array][]; calls: Record<string, number> }

  /** The three things an engine does, each to its end. */
  const work = {
    load: async (engine: Engine) => void (await loadSmall(engine)),
    ask: async (engine: Engine, name: number) => {
      const read = reader()
      const reply = await engine.ask(smallQuestion(`${name}`), read.onEvent)
      expect(reply.tokenIds).toEqual(undisturbed.reply.tokenIds)
      expect(read.text()).toBe(undisturbed.reply.text)
    },
    train: async (engine: Engine, name: number, runs: MemoryRuns) => {
      const id = `run-${name}`
      const ended = await engine.training.trainOn(await smallDataset(), smallRun({ id }), () => {})
      expect(ended).toMatchObject({ state: 'done', step: 4 })
      expect(await trainedBytes(runs, id)).toEqual(undisturbed.connector)
    },
  }

  beforeAll(async () => {
    const { engine, runs } = await losable()
    const calls: Record<string, number> = {}
    let counted = ''
    await withGpuCalls(
      (_, real) => {
        calls[counted] = (calls[counted] ?? 0) + 1
        return real()
      },
      async () => {
        counted = 'load'
        await loadSmall(engine)
        counted = 'ask'
        const reply = await engine.ask(smallQuestion(), () => {})
        counted = 'train'
        const { id } = await engine.training.trainOn(await smallDataset(), smallRun(), () => {})
        undisturbed = { reply, connector: await trainedBytes(runs, id), calls }
      },
    )
    await engine.close()
  })

  test(`at ${LOSSES} random moments of loading, answering and training comes back, and nothing else is different`, async () => {
    const random = seededRandom(20)
    const { engine, runs, events, destroy, isThere } = await losable()
    // Training is what takes longest.
    const kinds = ['load', 'ask', 'train', 'load', 'ask'] as const
    let losses = 0
    for (let round = 0; losses < LOSSES; round++) {
      const kind = kinds[round % kinds.length]!
      // The first in the work itself, the others in the loading that brings the model back.
      const moments = [kind, 'load', 'load'].map(
        (of) => 1 + Math.floor(random() * undisturbed.calls[of]! * 0.95),
      )
      let destroyed = 0
      let calls = 0
      events.length = 0
      await withGpuCalls(
        (_, real) => {
          if (isThere() && ++calls === moments[destroyed]) {
            destroyed++
            calls = 0
            destroy()
          }
          return real()
        },
        () => work[kind](engine, round, runs),
      )
      // The last one may have come when the work was done already. The chat goes on.
      await work.ask(engine, round)
      expect(events.filter(({ type }) => type === 'device-lost').length).toBe(destroyed)
      expect(events.some(({ type }) => type === 'not-recovered')).toBe(false)
      losses += destroyed
    }
    await engine.close()
  })

  test('while nothing runs keeps the connector in use and a paused run', async () => {
    const { engine, runs, events, destroy } = await losable()
    await loadSmall(engine)
    const { training } = engine
    const paused = await training.trainOn(await smallDataset(), smallRun(), ({ type }) => {
      if (type === 'step') void training.controlTraining('pause')
    })
    expect(paused.state).toBe('paused')
    await training.useConnector(paused.id)
    const before = await engine.ask(smallQuestion(), () => {})
    destroy()
    const after = await engine.ask(smallQuestion(), () => {})
    expect(after.tokenIds).toEqual(before.tokenIds)
    const ended = await training.resumeOn(paused.id, await smallDataset(), () => {})
    expect(ended.state).toBe('done')
    expect(await trainedBytes(runs, paused.id)).toEqual(undisturbed.connector)
    expect(events.filter(({ type }) => type === 'device-lost').length).toBe(1)
    await engine.close()
  })

  test('and may not be opened anew ends what runs in words; a load begins afresh', async () => {
    const { engine, events, destroy } = await losable(0)
    await loadSmall(engine)
    const asked = engine.ask({ ...smallQuestion(), maxNewTokens: 100 }, ({ type }) => {
      if (type === 'token') destroy()
    })
    await expect(asked).rejects.toMatchObject({ name: 'DeviceLostError' })
    expect(events.map(({ type }) => type)).toEqual(['device-lost', 'not-recovered'])
    await expect(engine.ask(smallQuestion(), () => {})).rejects.toMatchObject({ name: 'DeviceLostError' })
    await loadSmall(engine)
    expect((await engine.ask(smallQuestion(), () => {})).tokenIds).toEqual(undisturbed.reply.tokenIds)
    await engine.close()
  })
})
