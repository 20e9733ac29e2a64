import {
  createTensor,
  createWeight,
  destroyWeight,
  elementCount,
  weightRows,
  type Gpu,
  type Tensor,
  type Weight,
  type WeightDtype,
} from '../kernels'

/**
 * What a part of a model learns, declared as data: memory estimates, missing and unexpected key reports, random tiny
 * models and checkpoint writing all come from these tables.
 */
export interface ParameterSpec {
  readonly shape: readonly number[]
  /**
   * `matrix`: [out, in...], multiplied; held in the checkpoint's bits or quantised.
   * `table`: [rows, C], looked up by id (and multiplied, where tied); as matrix, but never below q8.
   * `vector`: anything small that is added or scaled by; held as f32.
   */
  readonly kind: 'matrix' | 'table' | 'vector'
  /** Where it lies in a larger parameter that is held in one piece, so that one product takes all of that. */
  readonly within?: PlaceWithin
}
/** Rows `start` on of a parameter of `rows` rows; the start is a multiple of 64. */
export interface PlaceWithin {
  readonly name: string
  readonly start: number
  readonly rows: number
}
export type ParameterSpecs = Readonly<Record<string, ParameterSpec>>

export const matrix = (...shape: number[]): ParameterSpec => ({ shape, kind: 'matrix' })
export const table = (...shape: number[]): ParameterSpec => ({ shape, kind: 'table' })
export const vector = (...shape: number[]): ParameterSpec => ({ shape, kind: 'vector' })

/** The specs under `prefix.`. */
export function under(prefix: string, specs: ParameterSpecs): ParameterSpecs {
  return Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      `${prefix}.${name}`,
      spec.within ? { ...spec, within: { ...spec.within, name: `${prefix}.${spec.within.name}` } } : spec,
    ]),
  )
}

/**
 * The specs with those of the layers `parts` lying one behind the other within a layer `whole`, where sizes allow it.
 *
 * The whole is no parameter of its own; a WeightStore has it once it has all parts.
 */
export function stacked(whole: string, parts: readonly string[], specs: ParameterSpecs): ParameterSpecs {
  const result = { ...specs }
  for (const suffix of ['weight', 'bias']) {
    const names = parts.map((part) => `${part}.${suffix}`).filter((name) => name in specs)
    const rows = names.map((name) => specs[name]!.shape[0]!)
    if (rows.slice(0, -1).some((count) => count % 64)) return specs
    const total = rows.reduce((sum, count) => sum + count, 0)
    let start = 0
    for (const [i, name] of names.entries()) {
      result[name] = { ...specs[name]!, within: { name: `${whole}.${suffix}`, start, rows: total } }
      start += rows[i]!
    }
  }
  return result
}

/** Weight and bias of a linear layer. */
export function linearSpecs(out: number, inFeatures: number, bias: boolean): ParameterSpecs {
  return bias ? { weight: matrix(out, inFeatures), bias: vector(out) } : { weight: matrix(out, inFeatures) }
}

/** Gain and offset of a layer norm. */
export const layerNormSpecs = (width: number): ParameterSpecs => ({
  weight: vector(width),
  bias: vector(width),
})

export const parameterCount = (specs: ParameterSpecs) =>
  Object.values(specs).reduce((sum, { shape }) => sum + elementCount(shape), 0)

/** A parameter as a matrix [out, in]: a convolution's [out, in, kh, kw] flattens. */
export const matrixShape = (spec: ParameterSpec): [rows: number, cols: number] => {
  const rows = spec.shape[0] ?? 1
  return [rows, elementCount(spec.shape) / rows]
}

/** A model's weights on the GPU, by parameter name. */
export class WeightStore {
  private readonly matrices = new Map<string, Weight>()
  private readonly vectors = new Map<string, Tensor>()
  private readonly matrixStacks = new Map<string, { readonly whole: Weight; taken: number }>()
  private readonly vectorStacks = new Map<string, { readonly whole: Tensor; taken: number }>()

  constructor(private readonly gpu: Gpu) {}

  addMatrix(name: string, rows: number, cols: number, dtype: WeightDtype, within?: PlaceWithin): Weight {
    const weight = within
      ? this.matrixWithin(name, rows, cols, dtype, within)
      : createWeight(this.gpu, name, rows, cols, dtype)
    this.matrices.set(name, weight)
    return weight
  }

  addVector(name: string, shape: readonly number[], within?: PlaceWithin): Tensor {
    const tensor = within ? this.vectorWithin(shape, within) : createTensor(this.gpu, name, shape, 'f32')
    this.vectors.set(name, tensor)
    return tensor
  }

  /** Rows of a larger matrix, which gets its own name when all its rows are taken. A checkpoint may mix dtypes. */
  private matrixWithin(
    name: string,
    rows: number,
    cols: number,
    dtype: WeightDtype,
    within: PlaceWithin,
  ): Weight {
    const stack = this.matrixStacks.get(within.name) ?? {
      whole: createWeight(this.gpu, within.name, within.rows, cols, dtype),
      taken: 0,
    }
    this.matrixStacks.set(within.name, stack)
    if (stack.whole.dtype !== dtype) return createWeight(this.gpu, name, rows, cols, dtype)
    stack.taken += rows
    if (stack.taken === within.rows) this.matrices.set(within.name, stack.whole)
    return { ...weightRows(stack.whole, within.start, rows), name }
  }

  private vectorWithin(shape: readonly number[], within: PlaceWithin): Tensor {
    const stack = this.vectorStacks.get(within.name) ?? {
      whole: createTensor(this.gpu, within.name, [within.rows], 'f32'),
      taken: 0,
    }
    this.vectorStacks.set(within.name, stack)
    stack.taken += elementCount(shape)
    if (stack.taken === within.rows) this.vectors.set(within.name, stack.whole)
    return { ...stack.whole, shape, offset: within.start * 4 }
  }

  /** Lets one parameter share another's memory, as a tied lm_head does. */
  tie(name: string, to: string): void {
    this.matrices.set(name, this.matrix(to))
  }

  matrix(name: string): Weight {
    const weight = this.matrices.get(name)
    if (!weight) throw new Error(`weights: no matrix "${name}"`)
    return weight
  }

  vector(name: string): Tensor {
    const tensor = this.vectors.get(name)
    if (!tensor) throw new Error(`weights: no vector "${name}"`)
    return tensor
  }

  /** The same store seen from below a prefix. */
  at(prefix: string): Weights {
    return {
      matrix: (name) => this.matrix(`${prefix}.${name}`),
      optionalMatrix: (name) => this.matrices.get(`${prefix}.${name}`),
      vector: (name) => this.vector(`${prefix}.${name}`),
      optionalVector: (name) => this.vectors.get(`${prefix}.${name}`),
      at: (name) => this.at(`${prefix}.${name}`),
    }
  }

  destroy(): void {
    for (const weight of new Set(this.matrices.values())) destroyWeight(this.gpu, weight)
    for (const { whole } of this.matrixStacks.values()) destroyWeight(this.gpu, whole)
    for (const tensor of this.vectors.values()) this.gpu.destroyBuffer(tensor.buffer)
    for (const { whole } of this.vectorStacks.values()) this.gpu.destroyBuffer(whole.buffer)
    for (const map of [this.matrices, this.vectors, this.matrixStacks, this.vectorStacks]) map.clear()
  }
}

/** The weights of one part of a model, by the part's own names. */
export interface Weights {
  matrix(name: string): Weight
  /** A matrix that this checkpoint may not have, or not in one piece. */
  optionalMatrix(name: string): Weight | undefined
  vector(name: string): Tensor
  /** A bias that this checkpoint may not have. */
  optionalVector(name: string): Tensor | undefined
  at(prefix: string): Weights
}
