import { ConfigError } from './errors'

/** How the next token is chosen; see kernels/sample for the exact meaning and order. */
export interface Sampling {
  /** 0 is greedy. */
  readonly temperature: number
  readonly topP: number
  /** 0 keeps all tokens. */
  readonly topK: number
  /** 1 is off. */
  readonly repetitionPenalty: number
  readonly seed: number
}

export const GREEDY: Sampling = { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 }

/** Throws: ConfigError naming the first setting out of range. */
export function checkSampling(sampling: Sampling): Sampling {
  const { temperature, topP, topK, repetitionPenalty, seed } = sampling
  const demand = (ok: boolean, name: string, expected: string, value: number) => {
    if (!ok) throw new ConfigError(`sampling: ${name} should be ${expected} but is ${value}.`)
  }
  demand(temperature >= 0 && temperature < Infinity, 'temperature', 'a number from 0 up', temperature)
  demand(topP >= 0 && topP <= 1, 'top_p', 'between 0 and 1', topP)
  demand(Number.isSafeInteger(topK) && topK >= 0, 'top_k', 'a whole number from 0 up', topK)
  demand(
    repetitionPenalty > 0 && repetitionPenalty < Infinity,
    'repetition penalty',
    'above 0',
    repetitionPenalty,
  )
  demand(Number.isSafeInteger(seed) && seed >= 0, 'seed', 'a whole number from 0 up', seed)
  return sampling
}
