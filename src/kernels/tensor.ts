import { ShapeError } from './errors'

/** Element types a tensor can hold. 16-bit floats lie two to a u32, the first in the low half. */
export type Dtype = 'f32' | 'f16' | 'bf16' | 'u32' | 'i32'

/** An array on the GPU: row-major, last axis contiguous. It owns nothing; see gpu/memory.ts for lifetimes. */
export interface Tensor {
  readonly shape: readonly number[]
  readonly dtype: Dtype
  readonly buffer: GPUBuffer
  /** Start in the buffer, in bytes; a multiple of the device's offset alignment. */
  readonly offset: number
}

export const DTYPE_BYTES: Readonly<Record<Dtype, number>> = { f32: 4, f16: 2, bf16: 2, u32: 4, i32: 4 }

/** Number of elements. */
export const elementCount = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1)

/** Bytes the elements take, rounded up to whole u32 words. */
export const sizeBytes = (shape: readonly number[], dtype: Dtype) =>
  Math.ceil((elementCount(shape) * DTYPE_BYTES[dtype]) / 4) * 4

/** The last dimension; 1 for a scalar. */
export const lastDim = (x: { readonly shape: readonly number[] }) => x.shape[x.shape.length - 1] ?? 1

/** Product of all dimensions but the last. */
export const rowsOf = (x: { readonly shape: readonly number[] }) => elementCount(x.shape.slice(0, -1))

/** The same elements under another shape. Throws: ShapeError when the counts differ. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  if (elementCount(shape) !== elementCount(x.shape)) {
    throw new ShapeError(
      `reshape: [${x.shape.join(', ')}] has ${elementCount(x.shape)} elements, [${shape.join(', ')}] has ${elementCount(shape)}`,
    )
  }
  return { ...x, shape }
}

/** Throws: ShapeError `what should be [..] but is [..]` unless shape and dtype match. */
export function expectShape(what: string, x: Tensor, shape: readonly number[], dtype: Dtype = 'f32'): void {
  const matches = x.shape.length === shape.length && shape.every((dim, i) => dim === x.shape[i])
  if (!matches) throw new ShapeError(`${what} should be [${shape.join(', ')}] but is [${x.shape.join(', ')}]`)
  if (x.dtype !== dtype) throw new ShapeError(`${what} should be ${dtype} but is ${x.dtype}`)
}
