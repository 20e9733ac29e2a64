import { ShapeError } from './errors'
import type { Gpu } from './gpu/device'
import { createTensor } from './gpu/memory'
import type { Tensor } from './tensor'

/**
 * How a weight matrix lies in memory. Always [rows, stride] with stride = cols rounded up to 32; the padding holds
 * arbitrary finite values, so kernels must take x as 0 beyond `cols`.
 *
 *   f32        stride words a row
 *   f16, bf16  stride / 2 words a row, the first element in the low half; bf16 widens by a shift, f16 by unpack2x16float
 *   q8         stride / 4 words a row, 4 signed bytes each, the first lowest; scales f32 [rows, stride / 32]: w = q * scale
 *   q4         stride / 8 words a row, 8 nibbles each, the first lowest; scales u32 [rows, stride / 32] holding
 *              pack2x16float(scale, min): w = q * scale + min
 */
export type WeightDtype = 'f32' | 'f16' | 'bf16' | 'q8' | 'q4'

/** Codes of the dtypes in WGSL (`W_DTYPE` in wgsl/weights.wgsl). */
export const WEIGHT_DTYPE_CODE: Readonly<Record<WeightDtype, number>> = {
  f32: 0,
  f16: 1,
  bf16: 2,
  q8: 3,
  q4: 4,
}

export const BLOCK = 32

/** Elements that one u32 word holds. */
export const ELEMENTS_PER_WORD: Readonly<Record<WeightDtype, number>> = {
  f32: 1,
  f16: 2,
  bf16: 2,
  q8: 4,
  q4: 8,
}

/** Rows `rowStart` to `rowStart + rows` of a weight; a binding holds at most the device's limit (128 MiB by default). */
export interface WeightPart {
  readonly rowStart: number
  readonly rows: number
  /** u32 [rows, stride / elements per word]. */
  readonly data: Tensor
  /** f32 (q8) or u32 (q4) [rows, stride / 32]; undefined for dense weights. */
  readonly scales: Tensor | undefined
}

/** A weight matrix [rows, cols], `[out, in]` as in PyTorch. */
export interface Weight {
  readonly name: string
  readonly rows: number
  readonly cols: number
  readonly stride: number
  readonly dtype: WeightDtype
  readonly parts: readonly WeightPart[]
}

export const isQuantised = (dtype: WeightDtype) => dtype === 'q8' || dtype === 'q4'

/** GPU bytes of a weight matrix. */
export function weightBytes(rows: number, cols: number, dtype: WeightDtype): number {
  const stride = Math.ceil(cols / BLOCK) * BLOCK
  const data = (rows * stride * 4) / ELEMENTS_PER_WORD[dtype]
  return data + (isQuantised(dtype) ? (rows * stride * 4) / BLOCK : 0)
}

/** Allocates a weight, split by rows where one binding cannot hold it. Contents are zero until packed. */
export function createWeight(gpu: Gpu, name: string, rows: number, cols: number, dtype: WeightDtype): Weight {
  const stride = Math.ceil(cols / BLOCK) * BLOCK
  const wordsPerRow = stride / ELEMENTS_PER_WORD[dtype]
  // Whole tiles of 64 rows a part keep kernels' tiles from straddling two bindings.
  const most = Math.floor(gpu.caps.maxBindingBytes / (wordsPerRow * 4) / 64) * 64
  if (most === 0) throw new Error(`weight ${name}: 64 rows of ${wordsPerRow * 4} bytes exceed one binding`)
  const parts: WeightPart[] = []
  for (let rowStart = 0; rowStart < rows; rowStart += most) {
    const count = Math.min(most, rows - rowStart)
    const label = rows > most ? `${name} rows ${rowStart}..` : name
    parts.push({
      rowStart,
      rows: count,
      data: createTensor(gpu, label, [count, wordsPerRow], 'u32'),
      scales: isQuantised(dtype)
        ? createTensor(gpu, `${label} scales`, [count, stride / BLOCK], dtype === 'q8' ? 'f32' : 'u32')
        : undefined,
    })
  }
  return { name, rows, cols, stride, dtype, parts }
}

/** Rows that a view's start is a multiple of: 64 rows of 4 bytes are the 256 that a binding's offset is aligned to. */
const VIEW_ROWS = 64

/**
 * Rows `start` to `start + count` of a weight as a weight of its own. The memory is the same and stays the whole weight's:
 * do not destroy a view.
 *
 * Throws: ShapeError unless the view starts on a multiple of 64 and ends on one or on the last row.
 */
export function weightRows(w: Weight, start: number, count: number): Weight {
  const end = start + count
  const isWithin =
    Number.isInteger(start) && Number.isInteger(count) && start >= 0 && count > 0 && end <= w.rows
  if (!isWithin || start % VIEW_ROWS !== 0 || (end % VIEW_ROWS !== 0 && end !== w.rows)) {
    throw new ShapeError(
      `weight-rows: a view of ${w.name} should start on a multiple of ${VIEW_ROWS} and end on one or on row ${w.rows}, ` +
        `but ${start} to ${end} was asked for`,
    )
  }
  const parts: WeightPart[] = []
  for (const part of w.parts) {
    const from = Math.max(start, part.rowStart)
    const rows = Math.min(end, part.rowStart + part.rows) - from
    if (rows <= 0) continue
    const { data, scales } = part
    parts.push({
      rowStart: from - start,
      rows,
      data: tensorRows(data, from - part.rowStart, rows),
      scales: scales && tensorRows(scales, from - part.rowStart, rows),
    })
  }
  return { ...w, rows: count, parts }
}

/** Rows of a 4-byte matrix where they lie. */
function tensorRows(x: Tensor, start: number, rows: number): Tensor {
  const { shape, offset } = x
  const cols = shape[1]!
  return { ...x, shape: [rows, cols], offset: offset + start * cols * 4 }
}

export function destroyWeight(gpu: Gpu, weight: Weight): void {
  for (const part of weight.parts) {
    gpu.destroyBuffer(part.data.buffer)
    if (part.scales) gpu.destroyBuffer(part.scales.buffer)
  }
}
