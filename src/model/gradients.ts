import { createTensor, type Encoder, type Gpu, type Tensor } from '../kernels'
import { matrixShape, type ParameterSpecs } from './parameters'

/** Sums of gradients by parameter name: f32, and only of the parameters that are trained. */
export class Gradients {
  private readonly sums = new Map<string, Tensor>()

  /** Contents are zero. */
  constructor(
    private readonly gpu: Gpu,
    trained: ParameterSpecs,
  ) {
    for (const [name, spec] of Object.entries(trained)) {
      const shape = spec.kind === 'vector' ? spec.shape : matrixShape(spec)
      this.sums.set(name, createTensor(gpu, `${name} gradient`, shape))
    }
  }

  /** Where a parameter's gradient is added; undefined where nobody asks for it. */
  find(name: string): Tensor | undefined {
    return this.sums.get(name)
  }

  entries(): IterableIterator<[name: string, gradient: Tensor]> {
    return this.sums.entries()
  }

  zero(enc: Encoder): void {
    for (const sum of this.sums.values()) enc.clear(sum)
  }

  /** The same sums seen from below a prefix. */
  at(prefix: string): GradientSums {
    return {
      find: (name) => this.find(`${prefix}.${name}`),
      at: (name) => this.at(`${prefix}.${name}`),
      some: () => [...this.sums.keys()].some((name) => name.startsWith(`${prefix}.`)),
    }
  }

  destroy(): void {
    for (const { buffer } of this.sums.values()) this.gpu.destroyBuffer(buffer)
    this.sums.clear()
  }
}

/** Gradients of one part of a model, by the part's own names. Backward passes add to them. */
export interface GradientSums {
  find(name: string): Tensor | undefined
  at(prefix: string): GradientSums
  /** Whether any gradient of the part is asked for. */
  some(): boolean
}
