import type { Capabilities } from './gpu/device'
import type { WeightDtype } from './weight'

/** Counts changes of the kernels measured or of how they are measured; a tuning of another version is measured anew. */
export const TUNING_VERSION = 1

/** Ways to compute a product of more than 8 rows on a GPU: f32 tiles of 32, 64 or 128 rows, or dot products of bytes. */
export const TILE_FORMS = ['rows2', 'rows4', 'rows8', 'packed'] as const
export type TileForm = (typeof TILE_FORMS)[number]

/** bf16 is read at the cost of f16. */
const TUNED_DTYPES = ['f32', 'f16', 'q8', 'q4'] as const
/** Up to 32 rows; fewer outputs than 256 tiles of 64 x 64; more. */
const PRODUCT_SIZES = ['few', 'some', 'many'] as const
export type ProductClass = `${(typeof TUNED_DTYPES)[number]} ${(typeof PRODUCT_SIZES)[number]}`

/** What was measured on one kind of adapter. Plain JSON. */
export interface Tuning {
  readonly version: number
  /** The fastest forms; left out where that is the form chosen from capabilities. */
  readonly products: Readonly<Partial<Record<ProductClass, TileForm>>>
}

export const UNTUNED: Tuning = { version: TUNING_VERSION, products: {} }

export const PRODUCT_CLASSES: readonly ProductClass[] = TUNED_DTYPES.flatMap((dtype) =>
  PRODUCT_SIZES.map((size) => `${dtype} ${size}` as const),
)

/** The class of a product [M, K] x [N, K]; forms are measured for one product of each. */
export function productClass(M: number, N: number, dtype: WeightDtype): ProductClass {
  const size = M <= 32 ? 'few' : M * N < 256 * 64 * 64 ? 'some' : 'many'
  return `${dtype === 'bf16' ? 'f16' : dtype} ${size}`
}

/** Forms that a device can run for weights of a dtype. */
export function tileForms(
  { maxWorkgroupBytes, packedDot }: Pick<Capabilities, 'maxWorkgroupBytes' | 'packedDot'>,
  dtype: WeightDtype,
): readonly TileForm[] {
  const isQuantised = dtype === 'q8' || dtype === 'q4'
  return TILE_FORMS.filter((form) => {
    if (form === 'rows8') return maxWorkgroupBytes >= 24 * 1024
    return form !== 'packed' || (packedDot && isQuantised)
  })
}

/** A tuning read back from where it was kept, without what this device cannot run; undefined for anything else. */
export function readTuning(
  value: unknown,
  caps: Pick<Capabilities, 'maxWorkgroupBytes' | 'packedDot'>,
): Tuning | undefined {
  if (!isRecord(value) || value['version'] !== TUNING_VERSION) return undefined
  const kept = value['products']
  if (!isRecord(kept)) return undefined
  const products: Partial<Record<ProductClass, TileForm>> = {}
  for (const name of PRODUCT_CLASSES) {
    const form = tileForms(caps, name.split(' ')[0] as WeightDtype).find((form) => form === kept[name])
    if (form) products[name] = form
  }
  return { version: TUNING_VERSION, products }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
