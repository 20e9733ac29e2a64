import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testGpu } from '../kernels/testing/gpu'
import { MemoryRuns } from '../model/train/run-store'
import type { Reply } from './api'
import type { Engine } from './engine'
import { sharedEngine } from './testing/engines'
import { withGpuCalls } from './testing/gpu-calls'
import { loadSmall, smallDataset, smallQuestion, smallRun, trainedBytes } from './testing/small-work'

/** What it tests does not depend on the adapter, and takes most of a minute on the slower one. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

/** Buffers that fail, spread over all that the work makes. */
const POSITIONS = { loading: 12, answering: 10, training: 3 }

/** How an allocation fails: as browsers refuse sizes they cannot describe, or as drivers run out of memory. */
type Failure = 'throws' | 'invalid'

/** Runs work in which the allocation of that number fails. Returns: allocations that were asked for. */
async function failing(number: number, failure: Failure, work: () => Promise<unknown>) {
  let allocations = 0
  let isPending = false
  await withGpuCalls((call, real) => {
    if (call === 'createBuffer' && ++allocations === number) {
      if (failure === 'throws') throw new RangeError('createBuffer failed, size is too large')
      isPending = true
      // Like a buffer there was no memory for, it can be bound and recorded, and nothing that uses it may be submitted.
      const buffer = real() as GPUBuffer
      buffer.destroy()
      return buffer
    }
    if (call === 'popErrorScope' && isPending) {
      isPending = false
      return (real() as Promise<unknown>).then(() => ({ message: 'the driver has no memory left' }))
    }
    return real()
  }, work)
  return allocations
}

const positions = (allocations: number, of: keyof typeof POSITIONS) =>
  Array.from(
    { length: POSITIONS[of] },
    (_, i) => 1 + Math.floor((i * (allocations - 1)) / (POSITIONS[of] - 1)),
  )

const outOfMemory = {
  name: 'OutOfMemoryError',
  message: expect.stringMatching(
    /: a GPU allocation of [\d.]+ MiB failed with [\d.]+ MiB in use .*\. This model needs about [\d.]+ MiB as f32 .*; [\d.]+ MiB as f16, .* with 64 tokens of context\./s,
  ) as string,
}

describe.skipIf(isSlow).each(['throws', 'invalid'] as const)('an allocation that %s', (failure) => {
  const runs = new MemoryRuns()
  let engine: Engine
  let reply: Reply
  let connector: [string, Uint8Array][]
  let questions = 0

  const ask = () => engine.ask(smallQuestion(`${failure} ${questions++}`), () => {})
  const train = async (id: string) =>
    engine.training.trainOn(
      await smallDataset(),
      smallRun({ id, captions: 0, recipe: { ...smallRun().recipe, steps: 2 } }),
      () => {},
    )

  beforeAll(async () => {
    engine = sharedEngine({ runs: async () => runs })
    await loadSmall(engine)
    reply = await ask()
    await train('undisturbed')
    connector = await trainedBytes(runs, 'undisturbed')
  })
  afterAll(() => engine.unload())

  test('while loading frees all of it, and the next load works', async () => {
    await engine.unload()
    const gpu = await testGpu()
    const before = [gpu.allocatedBytes, gpu.bufferCount]
    const allocations = await failing(Infinity, failure, () => loadSmall(engine))
    for (const number of positions(allocations, 'loading')) {
      await engine.unload()
      await expect(
        failing(number, failure, () => loadSmall(engine)),
        `${number}`,
      ).rejects.toMatchObject(outOfMemory)
      expect([gpu.allocatedBytes, gpu.bufferCount]).toEqual(before)
      await loadSmall(engine)
    }
    expect((await ask()).tokenIds).toEqual(reply.tokenIds)
  })

  test('while answering leaves the model and the chat, and the next answer is the same', async () => {
    const { arena } = engine.loaded!.vlm
    arena.trim()
    const allocations = await failing(Infinity, failure, ask)
    for (const number of positions(allocations, 'answering')) {
      arena.trim()
      await expect(failing(number, failure, ask), `${number} of ${allocations}`).rejects.toMatchObject(
        outOfMemory,
      )
      expect((await ask()).tokenIds).toEqual(reply.tokenIds)
    }
  })

  test('while training leaves the model answering, and the run goes on or begins again to the same connector', async () => {
    const { arena } = engine.loaded!.vlm
    arena.trim()
    const allocations = await failing(Infinity, failure, () => train('counted'))
    for (const number of positions(allocations, 'training')) {
      arena.trim()
      const id = `run-${number}`
      await expect(
        failing(number, failure, () => train(id)),
        `${number} of ${allocations}`,
      ).rejects.toMatchObject(outOfMemory)
      expect((await ask()).tokenIds).toEqual(reply.tokenIds)
      const isKept = (await engine.training.runs()).some((run) => run.id === id)
      if (isKept) await engine.training.resumeOn(id, await smallDataset(), () => {})
      else await train(id)
      expect(await trainedBytes(runs, id)).toEqual(connector)
    }
  })
})
