import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, type Tensor } from '../tensor'
import { BLOCK, ELEMENTS_PER_WORD, WEIGHT_DTYPE_CODE, type Weight, type WeightPart } from '../weight'
import weights from '../wgsl/weights.wgsl?raw'
import half from './half.wgsl?raw'
import packDense from './pack-dense.wgsl?raw'
import packQ4 from './pack-q4.wgsl?raw'
import packQ8 from './pack-q8.wgsl?raw'
import rawElements from './raw.wgsl?raw'
import unpackRowsWgsl from './unpack.wgsl?raw'
import widenWgsl from './widen.wgsl?raw'

/** Element types of checkpoint bytes. */
export type RawDtype = 'f32' | 'f16' | 'bf16'

const RAW_DTYPE_CODE: Readonly<Record<RawDtype, number>> = { f32: 0, f16: 1, bf16: 2 }

const denseKernel = defineKernel({
  name: 'pack-dense',
  wgsl: packDense,
  include: [rawElements, half],
  bindings: { raw: 'read', data: 'update' },
  params: { rows: 'u32', K: 'u32', words: 'u32', raw_start: 'u32', row_start: 'u32' },
})

const quantisedParams = { rows: 'u32', K: 'u32', blocks: 'u32', raw_start: 'u32', row_start: 'u32' } as const

const q8Kernel = defineKernel({
  name: 'pack-q8',
  wgsl: packQ8,
  include: [rawElements],
  bindings: { raw: 'read', data: 'update', scales: 'update' },
  params: quantisedParams,
})

const q4Kernel = defineKernel({
  name: 'pack-q4',
  wgsl: packQ4,
  include: [rawElements, half],
  bindings: { raw: 'read', data: 'update', scales: 'update' },
  params: quantisedParams,
})

const unpackKernel = defineKernel({
  name: 'unpack',
  wgsl: unpackRowsWgsl,
  include: [weights],
  bindings: { data: 'read', scales: 'read', out: 'update' },
  params: { rows: 'u32', K: 'u32', stride: 'u32', row_start: 'u32', out_row: 'u32' },
})

const widenKernel = defineKernel({
  name: 'widen',
  wgsl: widenWgsl,
  include: [rawElements],
  bindings: { raw: 'read', out: 'write' },
  params: { count: 'u32', raw_start: 'u32' },
})

export interface PackOptions {
  /** Row of the weight that the first raw row becomes. */
  readonly rowStart: number
  readonly rows: number
  /** What the raw bytes hold. */
  readonly dtype: RawDtype
  /** Element of `raw` where the first row begins; 0 if left out. */
  readonly rawStart?: number
}

/**
 * Converts rows of a checkpoint's tensor into rows of a weight, on the GPU.
 *
 * Equal dtypes keep their bits. f16 from wider types rounds to the nearest, ties to even, and saturates at 65504.
 *
 * Shapes: raw u32 words of [rows, weight.cols] elements, unpadded -> weight rows rowStart to rowStart + rows.
 * Throws: ShapeError when rows are out of range, raw is too short, or bf16 is asked for from another dtype.
 */
export function packRows(enc: Encoder, weight: Weight, raw: Tensor, options: PackOptions): void {
  const { rowStart, rows, dtype, rawStart = 0 } = options
  if (rowStart < 0 || rowStart + rows > weight.rows) {
    throw new ShapeError(
      `pack: ${weight.name} has ${weight.rows} rows, rows ${rowStart} to ${rowStart + rows} were to be packed`,
    )
  }
  if (weight.dtype === 'bf16' && dtype !== 'bf16') {
    throw new ShapeError(`pack: ${weight.name} is bf16 and takes bf16 rows alone, but ${dtype} came; use f16`)
  }
  expectElements('pack', raw, dtype, rawStart + rows * weight.cols)
  for (const part of weight.parts) {
    const first = Math.max(rowStart, part.rowStart)
    const end = Math.min(rowStart + rows, part.rowStart + part.rows)
    if (first >= end) continue
    packPart(enc, weight, part, raw, {
      rowStart: first - part.rowStart,
      rows: end - first,
      dtype,
      rawStart: rawStart + (first - rowStart) * weight.cols,
    })
  }
}

function packPart(
  enc: Encoder,
  weight: Weight,
  part: WeightPart,
  raw: Tensor,
  { rowStart, rows, dtype, rawStart }: Required<PackOptions>,
): void {
  const { cols: K, stride } = weight
  const blocks = stride / BLOCK
  const position = { rows, K, raw_start: rawStart, row_start: rowStart }
  const flops = rows * stride * 16 // about; quantising divides and rounds
  const RAW_DTYPE = RAW_DTYPE_CODE[dtype]
  if (weight.dtype === 'q8' || weight.dtype === 'q4') {
    const kernel = (weight.dtype === 'q8' ? q8Kernel : q4Kernel).as({ RAW_DTYPE })
    const tensors = { raw, data: part.data, scales: part.scales! }
    const groups = Math.ceil((rows * blocks) / 64)
    enc.dispatch(kernel, tensors, { ...position, blocks }, { groups, flops })
    return
  }
  const words = stride / ELEMENTS_PER_WORD[weight.dtype]
  const perWord = ELEMENTS_PER_WORD[dtype]
  if (weight.dtype === dtype && K === stride && rawStart % perWord === 0) {
    // The bytes are already as they should lie.
    const fromOffset = (rawStart / perWord) * 4
    enc.copy(raw, part.data, { fromOffset, toOffset: rowStart * words * 4, bytes: rows * words * 4 })
    return
  }
  const kernel = denseKernel.as({ RAW_DTYPE, W_DTYPE: WEIGHT_DTYPE_CODE[weight.dtype] })
  const groups = Math.ceil((rows * words) / 256)
  enc.dispatch(kernel, { raw, data: part.data }, { ...position, words }, { groups, flops })
}

/**
 * Rows of a weight as plain f32, for exports and tests.
 *
 * Shapes: -> [rows, weight.cols].
 * Throws: ShapeError when rows are out of range.
 */
export function unpackRows(enc: Encoder, weight: Weight, rowStart = 0, rows = weight.rows): Tensor {
  if (rowStart < 0 || rowStart + rows > weight.rows) {
    throw new ShapeError(
      `unpack: ${weight.name} has ${weight.rows} rows, rows ${rowStart} to ${rowStart + rows} were asked for`,
    )
  }
  const { cols: K, stride } = weight
  const out = enc.temp([rows, K], 'f32', `${weight.name} as f32`)
  const kernel = unpackKernel.as({ W_DTYPE: WEIGHT_DTYPE_CODE[weight.dtype] })
  for (const part of weight.parts) {
    const first = Math.max(rowStart, part.rowStart)
    const count = Math.min(rowStart + rows, part.rowStart + part.rows) - first
    if (count <= 0) continue
    const tensors = { data: part.data, scales: part.scales ?? part.data, out }
    const params = { rows: count, K, stride, row_start: first - part.rowStart, out_row: first - rowStart }
    enc.dispatch(kernel, tensors, params, { groups: Math.ceil((count * K) / 256), flops: count * K * 8 })
  }
  return out
}

/**
 * Converts 1-D checkpoint data (norms, biases, position embeddings) to f32, exactly.
 *
 * Shapes: raw u32 words of `rawStart + count` elements -> out f32, the first `count` of its elements.
 * Throws: ShapeError when raw or out is too short.
 */
export function widen(
  enc: Encoder,
  raw: Tensor,
  dtype: RawDtype,
  count: number,
  out: Tensor,
  rawStart = 0,
): void {
  expectElements('widen', raw, dtype, rawStart + count)
  if (out.dtype !== 'f32' || elementCount(out.shape) < count) {
    throw new ShapeError(
      `widen: out should be f32 with ${count} elements but is ${out.dtype} [${out.shape.join(', ')}]`,
    )
  }
  const kernel = widenKernel.as({ RAW_DTYPE: RAW_DTYPE_CODE[dtype] })
  enc.dispatch(kernel, { raw, out }, { count, raw_start: rawStart }, { groups: Math.ceil(count / 256) })
}

function expectElements(op: string, raw: Tensor, dtype: RawDtype, elements: number): void {
  const words = Math.ceil(elements / ELEMENTS_PER_WORD[dtype])
  if (raw.dtype !== 'u32' || elementCount(raw.shape) < words) {
    throw new ShapeError(
      `${op}: raw should be u32 with ${words} words for ${elements} ${dtype} elements but is ${raw.dtype} [${raw.shape.join(', ')}]`,
    )
  }
}
