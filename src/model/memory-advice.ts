import type { Capabilities } from '../kernels'
import type { OpenedModel } from './checkpoint-files'
import { planMemory, type MemoryPlan } from './plan'
import type { ModelDtype } from './precision'

const SMALLER: Readonly<Record<ModelDtype, readonly ModelDtype[]>> = {
  f32: ['f16', 'q8', 'q4'],
  f16: ['q8', 'q4'],
  q8: ['q4'],
  q4: [],
}

/** What a model takes as it is and what it would take otherwise, in a sentence: for a reader whose GPU has not enough. */
export function memoryAdvice(opened: OpenedModel, plan: MemoryPlan, caps: Capabilities): string {
  const { dtype, contextLength } = plan
  const bytesOf = (asked: { dtype: ModelDtype; contextLength: number }) =>
    planMemory(opened, caps, asked).gpuBytes.total
  const now = plan.gpuBytes.total
  const shorter = Math.floor(contextLength / 4)
  const others = [
    ...SMALLER[dtype].map((smaller) => ({
      words: `as ${smaller}`,
      bytes: bytesOf({ dtype: smaller, contextLength }),
    })),
    { words: `with ${shorter} tokens of context`, bytes: bytesOf({ dtype, contextLength: shorter }) },
  ].filter(({ bytes }) => bytes < now)
  const options = others.map(({ words, bytes }) => `${size(bytes)} ${words}`).join(', ')
  return (
    `This model needs about ${size(now)} as ${dtype} with ${contextLength} tokens of context` +
    (options ? `; ${options}.` : '.')
  )
}

const size = (bytes: number) =>
  bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`
