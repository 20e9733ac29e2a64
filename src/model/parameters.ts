import {
  createTensor,
  createWeight,
  destroyWeight,
  elementCount,
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
}
export type ParameterSpecs = Readonly<Record<string, ParameterSpec>>

export const matrix = (...shape: number[]): ParameterSpec => ({ shape, kind: 'matrix' })
export const table = (...shape: number[]): ParameterSpec => ({ shape, kind: 'table' })
export const vector = (...shape: number[]): ParameterSpec => ({ shape, kind: 'vector' })

/** The specs under `prefix.`. */
export function under(prefix: string, specs: ParameterSpecs): ParameterSpecs {
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => [`${prefix}.${name}`, spec]))
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

  constructor(private readonly gpu: Gpu) {}

  addMatrix(name: string, rows: number, cols: number, dtype: WeightDtype): Weight {
    const weight = createWeight(this.gpu, name, rows, cols, dtype)
    this.matrices.set(name, weight)
    return weight
  }

  addVector(name: string, shape: readonly number[]): Tensor {
    const tensor = createTensor(this.gpu, name, shape, 'f32')
    this.vectors.set(name, tensor)
    return tensor
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
      vector: (name) => this.vector(`${prefix}.${name}`),
      optionalVector: (name) => this.vectors.get(`${prefix}.${name}`),
      at: (name) => this.at(`${prefix}.${name}`),
    }
  }

  destroy(): void {
    for (const weight of new Set(this.matrices.values())) destroyWeight(this.gpu, weight)
    for (const tensor of this.vectors.values()) this.gpu.destroyBuffer(tensor.buffer)
    this.matrices.clear()
    this.vectors.clear()
  }
}

/** The weights of one part of a model, by the part's own names. */
export interface Weights {
  matrix(name: string): Weight
  vector(name: string): Tensor
  /** A bias that this checkpoint may not have. */
  optionalVector(name: string): Tensor | undefined
  at(prefix: string): Weights
}
