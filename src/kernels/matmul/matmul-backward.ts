import { broadcastLanes } from '../broadcast-lanes'
import { ShapeError } from '../errors'
import type { Gpu } from '../gpu/device'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { WEIGHT_DTYPE_CODE, type Weight } from '../weight'
import weights from '../wgsl/weights.wgsl?raw'
import broadcastRows from './broadcast-rows.wgsl?raw'
import broadcastWgsl from './matmul-backward-broadcast.wgsl?raw'
import backwardWgsl from './matmul-backward.wgsl?raw'
import biasWgsl from './matmul-bias-backward.wgsl?raw'
import weightWgsl from './matmul-weight-backward.wgsl?raw'
import weightBroadcastWgsl from './matmul-weight-backward-broadcast.wgsl?raw'
import octets from './octets.wgsl?raw'
import { tiles } from './tiles'

const inputKernelFor = (name: string, wgsl: string, ...include: string[]) =>
  defineKernel({
    name,
    wgsl,
    include: [weights, octets, ...include],
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

const inputKernel = inputKernelFor('matmul-backward', backwardWgsl)
const inputBroadcastKernel = inputKernelFor('matmul-backward-broadcast', broadcastWgsl, broadcastRows)

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

/** The form of both products, its constants, and the outputs of one of its workgroups, rows by columns. */
function chooseForm({ caps }: Gpu) {
  const LANES = broadcastLanes(caps)
  if (LANES !== undefined) {
    const ROWS = 16
    return {
      input: inputBroadcastKernel,
      weight: weightBroadcastKernel,
      constants: { LANES, ROWS },
      tile: [ROWS, 4 * LANES] as const,
    }
  }
  // One SIMD vector on CPU adapters, a whole subgroup on GPUs.
  const WG = caps.isSoftware ? 8 : 32
  return { input: inputKernel, weight: weightKernel, constants: { WG }, tile: [8, 8 * WG] as const }
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
  const form = chooseForm(enc.gpu)
  const variant = form.input.as({ W_DTYPE: WEIGHT_DTYPE_CODE[w.dtype], ...form.constants })
  for (const part of w.parts) {
    const tensors = { dy, w: part.data, scales: part.scales ?? part.data, dx }
    const common = { M, N, K, octets: w.stride / 8, rows: part.rows, col_start: part.rowStart }
    const accumulate = into || part.rowStart > 0 ? 1 : 0
    for (const cut of tiles(M, K, form.tile, part.rows, enc.gpu.caps)) {
      const at = { ...common, accumulate, m_start: cut.m, octet_start: cut.n / 8 }
      enc.dispatch(variant, tensors, at, { groups: [cut.nTiles, cut.mTiles], flops: cut.flops })
    }
  }
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
  const form = chooseForm(enc.gpu)
  const variant = form.weight.as(form.constants)
  const add = accumulate ? 1 : 0
  for (const cut of tiles(N, K, form.tile, M, enc.gpu.caps)) {
    const at = { M, N, K, accumulate: add, n_start: cut.m, k_start: cut.n }
    enc.dispatch(variant, { dy, x, dw }, at, { groups: [cut.nTiles, cut.mTiles], flops: cut.flops })
  }
  if (db) {
    const groups: [number] = [Math.ceil(N / 32)]
    enc.dispatch(biasKernel.as(), { dy, db }, { M, N, accumulate: add }, { groups, flops: M * N })
  }
}
