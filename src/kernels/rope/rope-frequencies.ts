import { ShapeError } from '../errors'

/** `rope_scaling` or `rope_parameters` as config.json has them; which fields count depends on the type. */
export interface RopeScaling {
  readonly rope_type?: string
  /** Older spelling of rope_type. */
  readonly type?: string
  readonly factor?: number | null
  readonly original_max_position_embeddings?: number
  readonly attention_factor?: number | null
  readonly low_freq_factor?: number
  readonly high_freq_factor?: number
  readonly short_factor?: readonly number[]
  readonly long_factor?: readonly number[]
  readonly beta_fast?: number | null
  readonly beta_slow?: number | null
  readonly mscale?: number | null
  readonly mscale_all_dim?: number | null
  readonly truncate?: boolean
}

export interface RopeConfig {
  /** Base of the geometric series of wavelengths. */
  readonly theta: number
  /** Elements of a head that turn; even. */
  readonly rotaryDim: number
  readonly scaling?: RopeScaling | null | undefined
  /** `max_position_embeddings`, in tokens. */
  readonly maxPositions: number
  /** `original_max_position_embeddings` where it stands beside the scaling, as in Phi-3; it has priority. */
  readonly originalMaxPositions?: number | undefined
}

export interface RopeFrequencies {
  /** Radians a position, [rotaryDim / 2]. */
  readonly frequencies: Float32Array<ArrayBuffer>
  /** Factor on cos and sin. */
  readonly scale: number
}

type Scaler = (config: RopeConfig, scaling: RopeScaling, sequenceLength: number) => RopeFrequencies

const f32 = Math.fround

const SCALERS: Readonly<Record<string, Scaler>> = {
  default: (config) => ({ frequencies: geometric(config.theta, config.rotaryDim), scale: 1 }),
  linear,
  dynamic,
  yarn,
  longrope,
  su: longrope, // Phi-3's name before longrope
  llama3,
}

/**
 * Frequencies and factor of a model's rotary embedding, in f32 steps as the published code takes them.
 *
 * `dynamic` and `longrope` depend on the length of the sequence so far: ask again when it grows, and see `ropeChange`
 * for what becomes of keys already cached.
 *
 * Throws: ShapeError for an unknown type or a missing or mis-sized field.
 * Source: the rope types of Hugging Face transformers 5 (modeling_rope_utils); arXiv:2309.00071 (yarn),
 * arXiv:2402.13753 (longrope).
 */
export function ropeFrequencies(config: RopeConfig, sequenceLength: number): RopeFrequencies {
  const scaling = config.scaling ?? {}
  const type = scaling.rope_type ?? scaling.type ?? 'default'
  const scaler = Object.hasOwn(SCALERS, type) ? SCALERS[type] : undefined
  if (!scaler) {
    throw new ShapeError(
      `rope: rope_type should be one of ${Object.keys(SCALERS).join(', ')} but is "${type}"; ` +
        'this checkpoint needs a rotary embedding that is not supported yet',
    )
  }
  if (config.rotaryDim < 2 || config.rotaryDim % 2) {
    throw new ShapeError(`rope: rotaryDim should be even and at least 2 but is ${config.rotaryDim}`)
  }
  return scaler(config, scaling, sequenceLength)
}

export interface RopeChange {
  /** Conversations of more tokens turn by other frequencies. */
  readonly beyond: number
  /**
   * `switch`: once, by one other set at every position, so that what was cached before is void (longrope).
   * `growth`: with every token; keys stay turned as they were when they were made (dynamic).
   */
  readonly kind: 'switch' | 'growth'
}

/**
 * How frequencies depend on the length of the conversation; undefined where they do not.
 *
 * Source: transformers 5 modeling_rope_utils (dynamic_rope_update), Phi3ForCausalLM.prepare_inputs_for_generation.
 */
export function ropeChange(config: RopeConfig): RopeChange | undefined {
  const type = config.scaling?.rope_type ?? config.scaling?.type
  if (type === 'dynamic') return { beyond: config.maxPositions, kind: 'growth' }
  if (type !== 'longrope' && type !== 'su') return undefined
  return { beyond: originalOf(config, config.scaling!), kind: 'switch' }
}

/** Exponents 0, 2/R, 4/R ... of theta. */
const exponents = (R: number) => Float32Array.from({ length: R / 2 }, (_, i) => f32((2 * i) / R))

const wavenumbers = (theta: number, R: number) => exponents(R).map((e) => theta ** e)

const geometric = (theta: number, R: number) => wavenumbers(theta, R).map((w) => 1 / w)

function linear({ theta, rotaryDim }: RopeConfig, scaling: RopeScaling): RopeFrequencies {
  const factor = need(scaling, 'factor')
  return { frequencies: geometric(theta, rotaryDim).map((f) => f / factor), scale: 1 }
}

function dynamic({ theta, rotaryDim: R, maxPositions }: RopeConfig, scaling: RopeScaling, length: number) {
  const factor = need(scaling, 'factor')
  const grown = (factor * Math.max(length, maxPositions)) / maxPositions - (factor - 1)
  return { frequencies: geometric(theta * grown ** (R / (R - 2)), R), scale: 1 }
}

function yarn(config: RopeConfig, scaling: RopeScaling): RopeFrequencies {
  const { theta, rotaryDim: R, maxPositions } = config
  const original = originalOf(config, scaling)
  const factor = scaling.factor ?? maxPositions / original
  const { mscale, mscale_all_dim: mscaleAllDim } = scaling
  const magnitude = (m: number) => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1)
  const scale =
    scaling.attention_factor ??
    (mscale && mscaleAllDim ? magnitude(mscale) / magnitude(mscaleAllDim) : magnitude(1))

  // Below `low` a pair turns often enough to extrapolate, above `high` it is interpolated; a ramp lies between.
  const pairTurning = (turns: number) =>
    (R * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  let low = pairTurning(scaling.beta_fast || 32)
  let high = pairTurning(scaling.beta_slow || 1)
  if (scaling.truncate ?? true) {
    low = Math.floor(low)
    high = Math.ceil(high)
  }
  low = Math.max(low, 0)
  high = Math.min(high, R - 1)
  if (low === high) high += 0.001

  const frequencies = wavenumbers(theta, R).map((w, i) => {
    const kept = f32(1 - Math.min(1, Math.max(0, f32(f32(i - low) / f32(high - low)))))
    const interpolated = f32(1 / f32(factor * w))
    return f32(interpolated * f32(1 - kept)) + f32(f32(1 / w) * kept)
  })
  return { frequencies, scale }
}

function longrope(config: RopeConfig, scaling: RopeScaling, length: number): RopeFrequencies {
  const { theta, rotaryDim: R, maxPositions } = config
  const original = originalOf(config, scaling)
  const factor = scaling.factor ?? maxPositions / original
  const scale =
    scaling.attention_factor ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original)))
  const name = length > original ? 'long_factor' : 'short_factor'
  const stretch = scaling[name]
  if (stretch?.length !== R / 2) {
    throw new ShapeError(`rope: ${name} should have ${R / 2} numbers but has ${stretch?.length ?? 'none'}`)
  }
  return { frequencies: wavenumbers(theta, R).map((w, i) => 1 / f32(f32(stretch[i]!) * w)), scale }
}

function llama3(config: RopeConfig, scaling: RopeScaling): RopeFrequencies {
  const factor = need(scaling, 'factor')
  const lowFactor = need(scaling, 'low_freq_factor')
  const highFactor = need(scaling, 'high_freq_factor')
  const original = originalOf(config, scaling)
  const frequencies = geometric(config.theta, config.rotaryDim).map((f) => {
    const wavelength = f32((2 * Math.PI) / f)
    if (wavelength < original / highFactor) return f
    if (wavelength > original / lowFactor) return f / factor
    const smooth = f32(f32(f32(original / wavelength) - lowFactor) / (highFactor - lowFactor))
    return f32(f32(f32(1 - smooth) * f) / factor) + f32(smooth * f)
  })
  return { frequencies, scale: 1 }
}

/** Length the model was first trained for, in tokens. */
const originalOf = (config: RopeConfig, scaling: RopeScaling) =>
  config.originalMaxPositions ?? scaling.original_max_position_embeddings ?? config.maxPositions

function need(scaling: RopeScaling, name: 'factor' | 'low_freq_factor' | 'high_freq_factor'): number {
  const value = scaling[name]
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    const type = scaling.rope_type ?? scaling.type
    throw new ShapeError(
      `rope: ${type} scaling should have a number "${name}" but it is ${value}; see config.json`,
    )
  }
  return value
}
