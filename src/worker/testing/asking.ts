import { DiskSource } from '../../cli/disk-source'
import type { CheckpointSource } from '../../model/checkpoint/source'
import { GREEDY, type Sampling } from '../../model/sampler'
import { messagesOf, type OriginalCase, type OriginalTurn } from '../../model/testing/original'
import type { AskRequest, ChatMessage } from '../api'
import type { Engine } from '../engine'
import { GoldenCase } from './golden'

/** The case that tests of behaviour ask about, and its first turn. */
export const golden = new GoldenCase('llava-clip-llama')
export const describeTurn = golden.facts.turns[0]!

export const load = (
  engine: Engine,
  source: CheckpointSource = new DiskSource(golden.checkpoint),
  contextLength = 512,
) => engine.loadFrom(source, { dtype: 'f32', contextLength }, () => {})

/** The first turn's question, greedy unless said otherwise. */
export const request = (sampling: Partial<Sampling> = {}, maxNewTokens = 28): AskRequest => ({
  messages: golden.messages(describeTurn),
  sampling: { ...GREEDY, ...sampling },
  maxNewTokens,
})

/** A turn of an original project's case in the engine's form, its pictures in order. */
export function conversationOf(golden: OriginalCase, turn: OriginalTurn): ChatMessage[] {
  const files = [...turn.images]
  return messagesOf(turn).map(({ role, text, images }) => ({
    role,
    text,
    images: files
      .splice(0, images)
      .map((file) => ({ id: `${golden.name}/${file}`, blob: new Blob([golden.imageBytes(file)]) })),
  }))
}
