import type { SamplingOptions } from '../../worker/api'
import type { Keep } from './storage'

const KEY = 'trilobite.settings'

/** Ranges of the controls. Values outside are clamped, so that nothing unsound reaches the engine. */
export const RANGES = {
  temperature: { min: 0, max: 2, step: 0.05 },
  topP: { min: 0.05, max: 1, step: 0.05 },
  topK: { min: 0, max: 200, step: 1 },
  repetitionPenalty: { min: 1, max: 2, step: 0.05 },
  seed: { min: 0, max: 2 ** 31 - 1, step: 1 },
  maxNewTokens: { min: 1, max: 8192, step: 1 },
} as const

export interface SettingsData {
  temperature: number
  topP: number
  topK: number
  repetitionPenalty: number
  seed: number
  /** A new seed for every answer; `seed` is then not used. */
  isSeedRandom: boolean
  maxNewTokens: number
  systemPrompt: string
  /** Every answer is timed by kernel, which slows it. */
  isProfiling: boolean
}

/** Greedy by default: the same question about the same picture has the same answer. */
export const DEFAULTS: Readonly<SettingsData> = {
  temperature: 0,
  topP: 1,
  topK: 0,
  repetitionPenalty: 1,
  seed: 0,
  isSeedRandom: true,
  maxNewTokens: 512,
  systemPrompt: '',
  isProfiling: false,
}

/** Brings anything into the form of SettingsData: wrong types become defaults, numbers are clamped. */
export function soundSettings(value: unknown): SettingsData {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const sound = { ...DEFAULTS }
  for (const key of Object.keys(RANGES) as (keyof typeof RANGES)[]) {
    const { min, max, step } = RANGES[key]
    const number = given[key]
    if (typeof number !== 'number' || !Number.isFinite(number)) continue
    const clamped = Math.min(max, Math.max(min, number))
    sound[key] = step === 1 ? Math.round(clamped) : clamped
  }
  for (const key of ['isSeedRandom', 'isProfiling'] as const) {
    if (typeof given[key] === 'boolean') sound[key] = given[key]
  }
  if (typeof given['systemPrompt'] === 'string') sound.systemPrompt = given['systemPrompt'].slice(0, 8000)
  return sound
}

/** How answers are sampled. Kept between visits. */
export class Settings {
  data = $state<SettingsData>({ ...DEFAULTS })

  #keep: Keep

  constructor(keep: Keep) {
    this.#keep = keep
    this.data = soundSettings(keep.read(KEY))
  }

  save() {
    this.#keep.write(KEY, $state.snapshot(this.data))
  }

  reset() {
    this.data = { ...DEFAULTS }
  }

  /** Sampling of the next answer; a random seed is drawn here, so that it can be shown and used again. */
  sampling(): SamplingOptions {
    const { temperature, topP, topK, repetitionPenalty, seed, isSeedRandom } = soundSettings(this.data)
    const drawn = isSeedRandom ? crypto.getRandomValues(new Uint32Array(1))[0]! % RANGES.seed.max : seed
    return { temperature, topP, topK, repetitionPenalty, seed: drawn }
  }
}
