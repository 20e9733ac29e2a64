import { afterAll, expect, test } from 'vitest'
import { nodeCodecLoader } from '../cli/codecs-node'
import { Encoder } from '../kernels'
import type { ByteStore } from '../model/checkpoint/byte-store'
import type { CheckpointSource } from '../model/checkpoint/source'
import { memoryStore } from '../model/checkpoint/testing/memory-store'
import { createCodecs } from '../model/image/codecs'
import { ImageFeatures } from '../model/image-features'
import { GREEDY } from '../model/sampler'
import { OriginalCase } from '../model/testing/original'
import type { AskEvent } from './api'
import { conversationOf } from './testing/asking'
import { sharedEngine } from './testing/engines'

// Towers that are fetched for each question, from repositories on a network. On SwiftShader Chromium does the same.

const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

const golden = new OriginalCase('cambrian-llama3')
const [wide, tall] = golden.facts.turns

let fetchedBytes = 0
/** A tower's repository as if on a network. */
const resolveRepository = (repo: string): CheckpointSource => {
  const disk = golden.resolve(repo)
  return {
    name: repo,
    address: `https://example.org/${repo}/`,
    sizeOf: (path, signal) => disk.sizeOf(path, signal),
    readText: (path, options) => disk.readText(path, options),
    stream: (path, range) => {
      fetchedBytes += range!.end! - range!.start!
      return disk.stream(path, range)
    },
  }
}

let store: ByteStore | undefined
const engine = sharedEngine({
  resolveRepository,
  modelStore: async () => store,
})
const load = (memoryBytes?: number) =>
  engine.loadFrom(
    golden.checkpoint,
    { dtype: 'f32', template: golden.facts.conv_mode, ...(memoryBytes !== undefined && { memoryBytes }) },
    () => {},
  )
afterAll(() => engine.unload())

async function ask(turn: typeof wide) {
  fetchedBytes = 0
  const events: AskEvent[] = []
  const request = { messages: conversationOf(golden, turn!), sampling: GREEDY }
  const maxNewTokens = golden.facts.max_new_tokens
  const reply = await engine.ask({ ...request, maxNewTokens }, (event) => events.push(event))
  expect(reply.tokenIds).toEqual(turn!.generated_ids)
  const towers = events.filter((event) => event.type === 'tower')
  expect(new Set(towers.map(({ tower }) => tower)).size).toBe(4)
  return {
    cached: [...new Set(towers.map(({ cached }) => cached))],
    fetchedBytes,
    notices: events.flatMap((event) => (event.type === 'notice' ? [event.message] : [])),
  }
}

test.skipIf(isSlow)(
  'the second picture reads no byte of a tower from its source, nor does the next load',
  async () => {
    const kept = memoryStore()
    store = kept
    await load(1)
    const towerBytes = engine.loaded!.plan.towers.reduce((sum, { fileBytes }) => sum + fileBytes, 0)
    const first = await ask(wide)
    expect(first).toMatchObject({ cached: [false], notices: [] })
    expect(first.fetchedBytes).toBeGreaterThanOrEqual(towerBytes)
    expect(await ask(tall)).toEqual({ cached: [true], fetchedBytes: 0, notices: [] })
    expect(kept.open).toEqual(new Set())

    await load(1)
    expect(await ask(wide)).toEqual({ cached: [true], fetchedBytes: 0, notices: [] })
  },
)

test.skipIf(isSlow)('pictures of one question fetch each tower once, and it sees them at once', async () => {
  store = undefined
  await load(1)
  const { vlm, opened, plan } = engine.loaded!
  const images = new ImageFeatures(vlm, opened.processors, createCodecs(nodeCodecLoader), {
    ...plan,
    spareBytes: 1e9,
  })
  const pictures = [wide, tall].flatMap((turn) =>
    turn!.images.map((key) => ({ key, bytes: async () => golden.imageBytes(key) })),
  )
  const encode = async (some: typeof pictures) => {
    fetchedBytes = 0
    const steps: number[] = []
    const encoded = await images.encode(some, new AbortController().signal, {
      onShare: (share) => steps.push(share),
    })
    const enc = new Encoder(vlm.gpu, vlm.arena, 'test')
    const tensors = encoded.flatMap(({ features, sampled }) => [...sampled!.maps, features])
    const values = []
    for (const tensor of tensors) values.push(await enc.read(tensor))
    return { values, steps, fetchedBytes }
  }
  const [first, second] = [await encode(pictures.slice(0, 1)), await encode(pictures.slice(1))]
  images.forgetAll()
  const both = await encode(pictures)
  expect(both.fetchedBytes).toBe(first.fetchedBytes)
  expect(both.steps).toEqual([0, 0, 1 / 4, 2 / 4, 3 / 4])
  for (const [i, want] of [...first.values, ...second.values].entries()) {
    expect(both.values[i]).toBeClose(want, { atol: 5e-4, rtol: 0 })
  }
  images.destroy()
})

test.skipIf(isSlow)('a store without room changes nothing but that the reader is told, once', async () => {
  const full = memoryStore({ write: () => Promise.reject(new Error('the disk is full')) })
  store = full
  await load(1)
  const first = await ask(wide)
  expect(first).toMatchObject({ cached: [false], notices: [expect.stringContaining('the disk is full')] })
  expect(await ask(tall)).toEqual({ ...first, notices: [] })
})

test.skipIf(isSlow)('towers that stay are not kept where no hash of their files is stated', async () => {
  const kept = memoryStore()
  store = kept
  await load()
  expect(engine.loaded!.plan.towers.every(({ resident }) => resident)).toBe(true)
  await engine.ask({ messages: conversationOf(golden, wide!), sampling: GREEDY, maxNewTokens: 1 }, () => {})
  expect([kept.kept.size, kept.open.size]).toEqual([0, 0])
})
