import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { DiskSource } from '../cli/disk-source'
import { GREEDY } from '../model/sampler'
import type { ChatMessage, WeightDtype } from './api'
import type { Engine } from './engine'
import { sharedEngine } from './testing/engines'

const MODEL = new URL('../../public/models/trilobite-nano-llava/', import.meta.url).pathname
const SAMPLES = new URL('../../e2e/samples/', import.meta.url)

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
const { samples } = JSON.parse(readFileSync(new URL('expected.json', SAMPLES), 'utf8')) as {
  samples: Sample[]
}

async function answers(engine: Engine, sample: Sample) {
  const blob = new Blob([readFileSync(new URL(sample.image, SAMPLES))])
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

async function loaded(dtype: WeightDtype) {
  const engine = sharedEngine()
  await engine.loadFrom(new DiskSource(MODEL), { dtype }, () => {})
  return engine
}

describe('the bundled model as the page loads it', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await loaded('auto')
  })

  test.each(samples)('answers every question about $image as PyTorch does', async (sample) => {
    const replies = await answers(engine, sample)
    for (const [i, turn] of sample.turns.entries()) {
      expect(replies[i]!.promptTokenIds).toEqual(turn.input_ids)
      expect(replies[i]!.tokenIds).toEqual(turn.generated_ids)
      expect(replies[i]!.text.trim()).toBe(turn.reply)
      if (i > 0) expect(replies[i]!.reusedTokens).toBeGreaterThan(replies[i]!.imageTokens)
    }
  })
})

// SwiftShader would take minutes to compile these variants.
test.runIf(process.env['TRILOBITE_ADAPTER'] !== 'swiftshader').each(['q8', 'q4'] as const)(
  'in %s the bundled model still answers most questions the same',
  async (dtype) => {
    const engine = await loaded(dtype)
    let same = 0
    let asked = 0
    for (const sample of samples) {
      const replies = await answers(engine, sample)
      for (const [i, turn] of sample.turns.entries()) {
        asked++
        same += Number(replies[i]!.text.trim() === turn.reply)
      }
    }
    console.log(`bundled model ${dtype}: ${same} of ${asked} answers word for word`)
    expect(same / asked).toBeGreaterThan(dtype === 'q8' ? 0.9 : 0.6)
    await engine.unload()
  },
)
