import { ACTIVATION_CODE, type Activation } from '../activation-kinds'
import { broadcastLanes } from '../broadcast-lanes'
import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import type { TileForm } from '../tuning'
import { bySharing, CHUNK, vectorForm } from '../vector-form'
import { isQuantised, WEIGHT_DTYPE_CODE, type Weight, type WeightDtype } from '../weight'
import activations from '../wgsl/activations.wgsl?raw'
import products from '../wgsl/chunk-products.wgsl?raw'
import chunks from '../wgsl/chunks.wgsl?raw'
import weights from '../wgsl/weights.wgsl?raw'
import { PAIRS, broadcastTileRows } from './broadcast-form'
import broadcastRows from './broadcast-rows.wgsl?raw'
import batchWgsl from './matmul-batch.wgsl?raw'
import broadcastHalfWgsl from './matmul-broadcast-half.wgsl?raw'
import broadcastWgsl from './matmul-broadcast.wgsl?raw'
import directWgsl from './matmul-direct.wgsl?raw'
import epilogue from './epilogue.wgsl?raw'
import packedWgsl from './matmul-packed.wgsl?raw'
import tileWgsl from './matmul-tile.wgsl?raw'
import vectorWgsl from './matmul-vector.wgsl?raw'
import octets from './octets.wgsl?raw'
import { padded } from './pad'
import pairs from './pairs.wgsl?raw'
import { quantiseRows } from './quantise-rows'
import { TILE_ROWS, tileForm } from './tile-form'
import { tiles } from './tiles'

const bindings = {
  x: 'read',
  w: 'read',
  scales: 'read',
  bias: 'read',
  residual: 'read',
  y: 'update',
} as const
const params = {
  M: 'u32',
  N: 'u32',
  K4: 'u32',
  rows: 'u32',
  col_start: 'u32',
  m_start: 'u32',
  n_start: 'u32',
} as const

/** The forms differ in their shader and in how it reads weights: 16-byte chunks, or eight elements at a time. */
const kernelFor = (name: string, wgsl: string, ...readers: string[]) =>
  defineKernel({ name, wgsl, include: [activations, weights, ...readers, epilogue], bindings, params })

const tileKernel = kernelFor('matmul-tile', tileWgsl, octets)
const packedKernel = kernelFor('matmul-packed', packedWgsl)
const broadcastKernel = kernelFor('matmul-broadcast', broadcastWgsl, octets, broadcastRows)
const halfKernel = kernelFor('matmul-broadcast-half', broadcastHalfWgsl, broadcastRows)
const pairsKernel = kernelFor('matmul-broadcast-pairs', broadcastWgsl, pairs, broadcastRows)
const directKernel = kernelFor('matmul-direct', directWgsl, octets)
const vectorKernels = bySharing((includes, sharing) =>
  kernelFor(`matmul-vector-${sharing}`, vectorWgsl, chunks, products, ...includes),
)
const batchKernel = kernelFor('matmul-batch', batchWgsl, chunks)

export interface MatmulOptions {
  /** [N], added before the activation. */
  readonly bias?: Tensor | undefined
  readonly activation?: Activation | undefined
  /** [..., N], added after the activation. */
  readonly residual?: Tensor | undefined
  /** The form of a product of more than 8 rows on a GPU. Default: what is measured or expected to be the fastest there. */
  readonly form?: TileForm | undefined
}

/** Most rows of x that take the batch form. */
const BATCH_ROWS = 8

/**
 * Product with a weight, and what usually follows it: y = activation(x Wᵀ + bias) + residual.
 *
 * Shapes: x f32 [..., K], w [N, K], bias [N], residual [..., N] -> y f32 [..., N].
 * Throws: ShapeError unless the shapes agree.
 */
export function matmul(enc: Encoder, x: Tensor, w: Weight, options: MatmulOptions = {}): Tensor {
  const { bias, activation = 'none', residual } = options
  const K = lastDim(x)
  const M = rowsOf(x)
  const N = w.rows
  if (K !== w.cols || x.dtype !== 'f32') {
    throw new ShapeError(
      `matmul: x should be f32 [..., ${w.cols}] for ${w.name} [${N}, ${w.cols}] but is ${x.dtype} [${x.shape.join(', ')}]`,
    )
  }
  const shape = [...x.shape.slice(0, -1), N]
  if (bias) expectShape(`matmul: bias of ${w.name}`, bias, [N])
  if (residual) {
    const isAsLong = elementCount(residual.shape) === M * N
    expectShape(`matmul: residual of ${w.name}`, residual, isAsLong ? residual.shape : shape)
  }
  const y = enc.temp(shape, 'f32', w.name)
  enc.scope(() => {
    const rows = padded(enc, x, w.stride)
    let packedRows: Tensor | undefined
    for (const part of w.parts) {
      const form = chooseForm(enc, M, part.rows, w.dtype, options.form)
      const tensors = {
        x: form.kernel === packedKernel ? (packedRows ??= quantiseRows(enc, rows)) : rows,
        w: part.data,
        scales: part.scales ?? part.data,
        bias: bias ?? rows,
        residual: residual ?? rows,
        y,
      }
      const common = { M, N, K4: w.stride / 4, rows: part.rows, col_start: part.rowStart }
      const constants = {
        W_DTYPE: WEIGHT_DTYPE_CODE[w.dtype],
        ACTIVATION: ACTIVATION_CODE[activation],
        HAS_BIAS: bias !== undefined,
        HAS_RESIDUAL: residual !== undefined,
      }
      const variant = form.kernel.as({ ...constants, ...form.constants })
      for (const cut of tiles(M, part.rows, form.tile, w.stride, enc.gpu.caps)) {
        const at = { ...common, m_start: cut.m, n_start: cut.n }
        enc.dispatch(variant, tensors, at, { groups: [cut.nTiles, cut.mTiles], flops: cut.flops })
      }
    }
  })
  return y
}

/** The kernel for a product, its constants, and the outputs of one of its workgroups, rows by columns. */
function chooseForm(enc: Encoder, M: number, N: number, dtype: WeightDtype, wanted: TileForm | undefined) {
  const { caps } = enc.gpu
  if (M === 1) {
    const { sharing, constants, groupRows } = vectorForm(caps, dtype, N, 4)
    return {
      kernel: vectorKernels[sharing],
      constants: { CHUNK: CHUNK[dtype], ...constants },
      tile: [1, groupRows] as const,
    }
  }
  const LANES = broadcastLanes(caps)
  if (LANES !== undefined) {
    // 128 x 896 x 1216 in f32 on two cores (Zen 3), GFLOP/s: lavapipe 20 to 28, SwiftShader 4.2. The direct form, below, does
    // 4 to 6 and 1.
    const ROWS = broadcastTileRows(M, LANES, dtype)
    const { kernel, constants } = broadcastForm(LANES, dtype)
    return { kernel, constants: { LANES, ROWS, ...constants }, tile: [ROWS, 4 * LANES] as const }
  }
  if (caps.isSoftware) {
    // 64 x 896 x 1216 on one core (Zen 5). lavapipe, lanes of 8: 4 x 4 does 7.0 (f32), 8.0 (f16), 8.1 (q4) GFLOP/s,
    // 4 x 8 does 6.2, 8.5, 9.3 and compiles twice as long. SwiftShader, lanes of 4: 8 x 8 does 2.5, 1.9, 1.6, 4 x 8 two
    // thirds of that. The tile form does 3.8 and 0.7.
    const isNarrow = (caps.subgroups?.max ?? 4) <= 4
    const ROWS = isNarrow ? 8 : 4
    const COLS = isNarrow || dtype === 'q4' ? 8 : 4
    const WG = 8
    return { kernel: directKernel, constants: { ROWS, COLS, WG }, tile: [ROWS, COLS * WG] as const }
  }
  if (M <= BATCH_ROWS) {
    const BATCH = 2 ** Math.ceil(Math.log2(M))
    const LANES = 8
    return {
      kernel: batchKernel,
      constants: { CHUNK: CHUNK[dtype], BATCH, LANES },
      tile: [BATCH, 256 / LANES] as const,
    }
  }
  const form = wanted ?? tileForm(enc, M, N, dtype)
  if (form === 'packed') {
    const ROWS = M <= 32 ? 2 : 4
    return { kernel: packedKernel, constants: { ROWS }, tile: [16 * ROWS, 64] as const }
  }
  const ROWS = TILE_ROWS[form]
  return { kernel: tileKernel, constants: { ROWS }, tile: [16 * ROWS, 64] as const }
}

/** How rows spread over lanes are multiplied, by how the weight is held. */
function broadcastForm(lanes: 4 | 8, dtype: WeightDtype) {
  if (lanes === 4 || isQuantised(dtype)) return { kernel: broadcastKernel, constants: {} }
  return dtype === 'f32'
    ? { kernel: pairsKernel, constants: { ...PAIRS, Words: 'vec2u', STEPS: 2 } }
    : { kernel: halfKernel, constants: { ...PAIRS, BY_DOTS: true } }
}
