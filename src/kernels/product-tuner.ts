import { fastest, type Candidate } from './fastest'
import type { Gpu } from './gpu/device'
import { usualForm } from './matmul/tile-form'
import { ProductBench, type Product } from './product-bench'
import {
  productClass,
  tileForms,
  TUNING_VERSION,
  type ProductClass,
  type TileForm,
  type Tuning,
} from './tuning'

/** Finds out which forms are the fastest on one device, a class of products after the other. */
export interface Tuner {
  /**
   * Goes on with what is not measured yet, until all is or the signal is aborted.
   *
   * Throws: the signal's reason, with everything measured so far remembered and no memory kept; DeviceLostError;
   * OutOfMemoryError.
   */
  run(signal: AbortSignal): Promise<Tuning>
}

/** Sizes of layers of a model with half a billion parameters. 12 MiB of weights at most, 4 MiB of x and y. */
const SHAPES = [
  { M: 16, N: 2048, K: 1024 },
  { M: 128, N: 2048, K: 1024 },
  { M: 512, N: 2048, K: 1024 },
]

/** One product of each class. */
export const TUNED_PRODUCTS: readonly Product[] = (['f16', 'q8', 'q4', 'f32'] as const).flatMap((dtype) =>
  SHAPES.map((shape) => ({ dtype, ...shape })),
)

/** Of f32 forms: they add up in the same order, but compilers may fuse multiplications and additions differently. */
const EXACT: Pick<Candidate<TileForm>, 'tolerance' | 'gain'> = { tolerance: 1e-4, gain: 0.05 }
/** Bytes lose precision, and must be worth it. Of sums of a thousand products, they are 0.6 % off at most. */
const PACKED: typeof EXACT = { tolerance: 0.02, gain: 0.2 }

export class ProductTuner implements Tuner {
  private readonly measured = new Map<Product, TileForm>()

  constructor(
    private readonly gpu: Gpu,
    private readonly products = TUNED_PRODUCTS,
  ) {}

  async run(signal: AbortSignal): Promise<Tuning> {
    for (const product of this.products) {
      if (!this.measured.has(product)) this.measured.set(product, await this.measure(product, signal))
    }
    const faster = [...this.measured].filter(([product, form]) => form !== this.usual(product))
    return {
      version: TUNING_VERSION,
      products: Object.fromEntries(
        faster.map(([{ M, N, dtype }, form]) => [productClass(M, N, dtype), form]),
      ) as Partial<Record<ProductClass, TileForm>>,
    }
  }

  private async measure(product: Product, signal: AbortSignal): Promise<TileForm> {
    signal.throwIfAborted()
    const standard = this.usual(product)
    const candidates = tileForms(this.gpu.caps, product.dtype)
      .filter((form) => form !== standard && isWorthwhile(form, product))
      .map((form) => ({ form, ...(form === 'packed' ? PACKED : EXACT) }))
    const bench = new ProductBench(this.gpu, product)
    try {
      return await fastest(bench, standard, candidates, signal)
    } finally {
      bench.destroy()
    }
  }

  private usual({ M, N }: Product): TileForm {
    return usualForm(this.gpu.caps, M, N)
  }
}

/** Tiles that would be more than half empty are not run anyway. */
const isWorthwhile = (form: TileForm, { M }: Product) =>
  form === 'rows8' ? M > 64 : form !== 'rows4' || M > 32
