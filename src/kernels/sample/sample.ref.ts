import { uniformAt } from './random'

export interface SampleRefOptions {
  history: ArrayLike<number>
  temperature: number
  topK: number
  topP: number
  repetitionPenalty: number
}

/** Oracle in float64: every id's probability after penalty, temperature, top-k and top-p. Slow and obvious on purpose. */
export function probabilitiesRef(logits: ArrayLike<number>, options: SampleRefOptions): Float64Array {
  const { temperature, topK, topP } = options
  const scores = penalisedRef(logits, options)
  const ids = Array.from(scores, (_, id) => id)
  const p = new Float64Array(scores.length)
  if (temperature === 0) {
    p[ids.reduce((best, id) => (scores[id]! > scores[best]! ? id : best), 0)] = 1
    return p
  }
  // Largest first; sort is stable, so of equals the lowest id comes first.
  const ranked = [...ids].sort((a, b) => scores[b]! - scores[a]! || a - b)
  const kth = topK > 0 ? scores[ranked[Math.min(topK, ranked.length) - 1]!]! : -Infinity
  const kept = ranked.filter((id) => scores[id]! >= kth)
  const top = scores[ranked[0]!]!
  const mass = (id: number) => Math.exp((scores[id]! - top) / temperature)
  const total = kept.reduce((sum, id) => sum + mass(id), 0)
  let nucleus = kept
  if (topP < 1) {
    nucleus = []
    let held = 0
    for (const id of kept) {
      nucleus.push(id)
      held += mass(id)
      if (held >= topP * total * 0.999999) break
    }
  }
  const whole = nucleus.reduce((sum, id) => sum + mass(id), 0)
  for (const id of nucleus) p[id] = mass(id) / whole
  return p
}

/** The id drawn: the first whose cumulated probability, in id order, is above the draw. */
export function sampleRef(
  logits: ArrayLike<number>,
  options: SampleRefOptions & { seed: number; step: number },
): number {
  const p = probabilitiesRef(logits, options)
  const draw = uniformAt(options.seed, options.step)
  let cumulated = 0
  let chosen = 0
  for (let id = 0; id < p.length; id++) {
    if (p[id] === 0) continue
    chosen = id
    cumulated += p[id]!
    if (cumulated > draw) break
  }
  return chosen
}

function penalisedRef(
  logits: ArrayLike<number>,
  { history, repetitionPenalty }: SampleRefOptions,
): Float64Array {
  const scores = Float64Array.from(logits)
  for (const id of new Set(Array.from(history))) {
    const logit = scores[id]
    if (logit !== undefined) scores[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty
  }
  return scores
}
