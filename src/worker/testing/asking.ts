import { DiskSource } from '../../cli/disk-source'
import type { CheckpointSource } from '../../model/checkpoint/source'
import { GREEDY, type Sampling } from '../../model/sampler'
import type { AskRequest } from '../api'
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
