import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { DiskSource } from '../cli/disk-source'
import { GREEDY } from '../model/sampler'
import type { ChatMessage, WeightDtype } from './api'
import type { Engine } from './engine'
import { sharedEngine } from './testing/engines'

/** The bundled models and where pictures with PyTorch's answers of theirs lie. */
const MODELS = [
  { name: 'trilobite-nano-cambrian', samples: 'samples-cambrian' },
  { name: 'trilobite-nano-llava', samples: 'samples' },
]

interface Sample {
  readonly image: string
  readonly turns: readonly {
    readonly question: string
    readonly prompt: string
    readonly input_ids: readonly number[]
    readonly generated_ids: readonly number[]
    readonly reply: string
  }[]
}
const folderOf = (samples: string) => new URL(`../../e2e/${samples}/`, import.meta.url)
/** Every sixth on SwiftShader: Chromium runs them all there. */
const samplesOf = (samples: string) =>
  (
    JSON.parse(readFileSync(new URL('expected.json', folderOf(samples)), 'utf8')) as { samples: Sample[] }
  ).samples.filter((_, i) => process.env['TRILOBITE_ADAPTER'] !== 'swiftshader' || i % 6 === 0)

/** Ids with one placeholder a picture, as the recordings of models without an <image> token have it. */
const collapsed = (ids: readonly number[]) => ids.filter((id, i) => id !== -200 || ids[i - 1] !== -200)

async function answers(engine: Engine, sample: Sample, samples: string) {
  const blob = new Blob([readFileSync(new URL(sample.image, folderOf(samples)))])
  const messages: ChatMessage[] = []
  const replies = []
  for (const [i, { question }] of sample.turns.entries()) {
    messages.push({ role: 'user', text: question, ...(i === 0 && { images: [{ id: sample.image, blob }] }) })
    const reply = await engine.ask({ messages, sampling: GREEDY, maxNewTokens: 64 }, () => {})
    messages.push({ role: 'assistant', text: reply.text })
    replies.push(reply)
  }
  return replies
}

async function loaded(name: string, dtype: WeightDtype) {
  const engine = sharedEngine()
  const folder = new URL(`../../public/models/${name}/`, import.meta.url).pathname
  await engine.loadFrom(new DiskSource(folder), { dtype }, () => {})
  return engine
}

const realSubmit = GPUQueue.prototype.submit

describe.each(MODELS)('$name as the page loads it', ({ name, samples }) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await loaded(name, 'auto')
  })

  test.each(samplesOf(samples))('answers every question about $image as PyTorch does', async (sample) => {
    const replies = await answers(engine, sample, samples)
    for (const [i, turn] of sample.turns.entries()) {
      expect(collapsed(replies[i]!.promptTokenIds)).toEqual(collapsed(turn.input_ids))
      expect(replies[i]!.tokenIds).toEqual(turn.generated_ids)
      expect(replies[i]!.text.trim()).toBe(turn.reply)
      if (i > 0) expect(replies[i]!.reusedTokens).toBeGreaterThan(replies[i]!.imageTokens)
    }
  })

  test('says each further word in one submit of 28 dispatches, the next one under way before it is read', async () => {
    const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups')
    const submit = vi.spyOn(GPUQueue.prototype, 'submit')
    const dispatchesAtSubmit: number[] = []
    const submitsAtToken: number[] = []
    submit.mockImplementation(function (this: GPUQueue, buffers) {
      dispatchesAtSubmit.push(dispatch.mock.calls.length)
      realSubmit.call(this, buffers)
    })
    try {
      const messages: ChatMessage[] = [{ role: 'user', text: 'What shape is it?' }]
      await engine.ask({ messages, sampling: GREEDY, maxNewTokens: 8 }, (event) => {
        if (event.type === 'token') submitsAtToken.push(dispatchesAtSubmit.length)
      })
    } finally {
      dispatch.mockRestore()
      submit.mockRestore()
    }
    const steps = dispatchesAtSubmit.slice(1).map((count, i) => count - dispatchesAtSubmit[i]!)
    expect(steps.length).toBeGreaterThan(2)
    // Embedding, 6 a layer (projections, rotation and cache, attention, output, gate and up, down), logits, argmax in 2.
    expect(steps).toEqual(steps.map(() => 1 + 4 * 6 + 1 + 2))
    expect(submitsAtToken.slice(0, 3)).toEqual([2, 3, 4])
  })
})

// SwiftShader would take minutes to compile these variants.
describe.runIf(process.env['TRILOBITE_ADAPTER'] !== 'swiftshader').each(MODELS)('$name', (model) => {
  test.each(['q8', 'q4'] as const)('in %s still answers most questions the same', async (dtype) => {
    const engine = await loaded(model.name, dtype)
    let same = 0
    let asked = 0
    // A share is asked for, which half of them tell.
    for (const sample of samplesOf(model.samples).filter((_, i) => i % 2 === 0)) {
      const replies = await answers(engine, sample, model.samples)
      for (const [i, turn] of sample.turns.entries()) {
        asked++
        same += Number(replies[i]!.text.trim() === turn.reply)
      }
    }
    console.log(`${model.name} ${dtype}: ${same} of ${asked} answers word for word`)
    expect(same / asked).toBeGreaterThan(dtype === 'q8' ? 0.9 : 0.6)
    await engine.unload()
  })
})
