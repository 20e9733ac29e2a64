import { broadcastLanes } from '../broadcast-lanes'
import { ShapeError } from '../errors'
import type { Gpu } from '../gpu/device'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { isQuantised, WEIGHT_DTYPE_CODE, type Weight, type WeightDtype } from '../weight'
import weights from '../wgsl/weights.wgsl?raw'
import { PAIRS, broadcastTileRows } from './broadcast-form'
import broadcastRows from './broadcast-rows.wgsl?raw'
import denseQuads from './dense-quads.wgsl?raw'
import broadcastWgsl from './matmul-backward-broadcast.wgsl?raw'
import backwardWgsl from './matmul-backward.wgsl?raw'
import biasWgsl from './matmul-bias-backward.wgsl?raw'
import weightWgsl from './matmul-weight-backward.wgsl?raw'
import weightBroadcastWgsl from './matmul-weight-backward-broadcast.wgsl?raw'
import octets from './octets.wgsl?raw'
import { padded } from './pad'
import { tiles } from './tiles'

const inputKernelFor = (name: string, wgsl: string, ...include: string[]) =>
  defineKernel({
    name,
    wgsl,
    include: [weights, ...include],
    bindings: { dy: 'read', w: 'read', scales: 'read', dx: 'update' },
    params: {
      M: 'u32',
      N: 'u32',
      K: 'u32',
      octets: 'u32',
      rows: 'u32',
      col_start: 'u32',
      accumulate: 'u32',
      m_start: 'u32',
      octet_start: 'u32',
    },
  })

const inputKernel = inputKernelFor('matmul-backward', backwardWgsl, octets)
const inputBroadcastKernel = inputKernelFor('matmul-backward-broadcast', broadcastWgsl, octets, broadcastRows)
const inputDenseKernel = inputKernelFor(
  'matmul-backward-broadcast-dense',
  broadcastWgsl,
  denseQuads,
  broadcastRows,
)

const weightKernelFor = (name: string, wgsl: string, ...include: string[]) =>
  defineKernel({
    name,
    wgsl,
    include,
    bindings: { dy: 'read', x: 'read', dw: 'update' },
    params: { M: 'u32', N: 'u32', K: 'u32', accumulate: 'u32', n_start: 'u32', k_start: 'u32' },
  })

const weightKernel = weightKernelFor('matmul-weight-backward', weightWgsl)
const weightBroadcastKernel = weightKernelFor(
  'matmul-weight-backward-broadcast',
  weightBroadcastWgsl,
  broadcastRows,
)

const biasKernel = defineKernel({
  name: 'matmul-bias-backward',
  wgsl: biasWgsl,
  bindings: { dy: 'read', db: 'update' },
  params: { M: 'u32', N: 'u32', accumulate: 'u32' },
})

/** One SIMD vector on CPU adapters, a whole subgroup on GPUs. */
const lanesOf = ({ caps }: Gpu) => (caps.isSoftware ? 8 : 32)

/** The form of an input gradient, its constants, and the outputs of one of its workgroups, rows by columns. */
function inputForm(gpu: Gpu, M: number, dtype: WeightDtype) {
  const LANES = broadcastLanes(gpu.caps)
  if (LANES === undefined) {
    const WG = lanesOf(gpu)
    return { kernel: inputKernel, constants: { WG }, tile: [8, 8 * WG] as const }
  }
  const ROWS = broadcastTileRows(M, LANES, dtype)
  const constants = { LANES, ROWS, ...PAIRS }
  const tile = [ROWS, 4 * LANES] as const
  return isQuantised(dtype)
    ? { kernel: inputBroadcastKernel, constants, tile }
    : { kernel: inputDenseKernel, constants: { ...constants, Words: 'vec2u' }, tile }
}

/**
 * dLoss/dx through a frozen weight, quantised ones included: dx = dy W, added to `into` where it is given.
 *
 * Shapes: dy f32 [..., N], w [N, K], into f32 [..., K] -> dx f32 [..., K], `into` itself where it is given.
 * Throws: ShapeError unless dy is f32 with N columns and `into` is as dx.
 */
export function matmulBackward(enc: Encoder, dy: Tensor, w: Weight, into?: Tensor): Tensor {
  const { rows: N, cols: K } = w
  if (lastDim(dy) !== N || dy.dtype !== 'f32') {
    throw new ShapeError(
      `matmul-backward: dy should be f32 [..., ${N}] for ${w.name} [${N}, ${K}] but is ${dy.dtype} [${dy.shape.join(', ')}]`,
    )
  }
  const M = rowsOf(dy)
  const shape = [...dy.shape.slice(0, -1), K]
  if (into) expectShape(`matmul-backward: into for ${w.name}`, into, shape)
  const dx = into ?? enc.temp(shape, 'f32', `${w.name} dx`)
  const { kernel, constants, tile } = inputForm(enc.gpu, M, w.dtype)
  const variant = kernel.as({ W_DTYPE: WEIGHT_DTYPE_CODE[w.dtype], ...constants })
  enc.scope(() => {
    const rows = kernel === inputKernel ? dy : padded(enc, dy, Math.ceil(N / 2) * 2)
    for (const part of w.parts) {
      const tensors = { dy: rows, w: part.data, scales: part.scales ?? part.data, dx }
      const common = {
        M,
        N: lastDim(rows),
        K,
        octets: w.stride / 8,
        rows: part.rows,
        col_start: part.rowStart,
      }
      const accumulate = into || part.rowStart > 0 ? 1 : 0
      for (const cut of tiles(M, K, tile, part.rows, enc.gpu.caps)) {
        const at = { ...common, accumulate, m_start: cut.m, octet_start: cut.n / 8 }
        enc.dispatch(variant, tensors, at, { groups: [cut.nTiles, cut.mTiles], flops: cut.flops })
      }
    }
  })
  return dx
}

/**
 * dLoss/dW and dLoss/db of y = x Wᵀ + b, written to `dw` and `db`, or added to them.
 *
 * Shapes: dy f32 [..., N], x f32 [..., K], dw f32 [N, K], db f32 [N].
 * Throws: ShapeError unless the shapes agree.
 */
export function matmulWeightBackward(
  enc: Encoder,
  dy: Tensor,
  x: Tensor,
  { dw, db }: { readonly dw: Tensor; readonly db?: Tensor | undefined },
  accumulate: boolean,
): void {
  const N = lastDim(dy)
  const K = lastDim(x)
  const M = rowsOf(x)
  if (rowsOf(dy) !== M || dy.dtype !== 'f32' || x.dtype !== 'f32') {
    throw new ShapeError(
      `matmul-weight-backward: dy and x should be f32 with equally many rows but are ${dy.dtype} [${dy.shape.join(', ')}] ` +
        `and ${x.dtype} [${x.shape.join(', ')}]`,
    )
  }
  expectShape('matmul-weight-backward: dw', dw, [N, K])
  if (db) expectShape('matmul-weight-backward: db', db, [N])
  const add = accumulate ? 1 : 0
  const LANES = broadcastLanes(enc.gpu.caps)
  enc.scope(() => {
    const spreads = LANES !== undefined
    const WG = lanesOf(enc.gpu)
    const variant = spreads
      ? weightBroadcastKernel.as({ LANES, ROWS: 4 * LANES, ...PAIRS })
      : weightKernel.as({ WG })
    const tile = spreads ? ([4 * LANES, 4 * LANES] as const) : ([8, 8 * WG] as const)
    const tensors = { dy: spreads ? quads(enc, dy) : dy, x: spreads ? quads(enc, x) : x, dw }
    for (const cut of tiles(N, K, tile, M, enc.gpu.caps)) {
      const at = { M, N, K, accumulate: add, n_start: cut.m, k_start: cut.n }
      enc.dispatch(variant, tensors, at, { groups: [cut.nTiles, cut.mTiles], flops: cut.flops })
    }
  })
  if (db) {
    const groups: [number] = [Math.ceil(N / 32)]
    enc.dispatch(biasKernel.as(), { dy, db }, { M, N, accumulate: add }, { groups, flops: M * N })
  }
}

/** Rows that can be read four elements at a time. */
const quads = (enc: Encoder, x: Tensor) => padded(enc, x, Math.ceil(lastDim(x) / 4) * 4)
