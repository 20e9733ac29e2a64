import { ACTIVATION_CODE, type Activation } from '../activation-kinds'
import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { WEIGHT_DTYPE_CODE, type Weight, type WeightDtype } from '../weight'
import activations from '../wgsl/activations.wgsl?raw'
import weights from '../wgsl/weights.wgsl?raw'
import chunks from './chunks.wgsl?raw'
import epilogue from './epilogue.wgsl?raw'
import tileWgsl from './matmul-tile.wgsl?raw'
import vectorWgsl from './matmul-vector.wgsl?raw'
import octets from './octets.wgsl?raw'
import padWgsl from './pad.wgsl?raw'

const padKernel = defineKernel({
  name: 'matmul-pad',
  wgsl: padWgsl,
  bindings: { x: 'read', padded: 'write' },
  params: { M: 'u32', K: 'u32', stride: 'u32' },
})

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

const tileKernel = defineKernel({
  name: 'matmul-tile',
  wgsl: tileWgsl,
  include: [activations, weights, octets, epilogue],
  bindings,
  params,
})

const vectorKernel = defineKernel({
  name: 'matmul-vector',
  wgsl: vectorWgsl,
  include: [activations, weights, chunks, epilogue],
  bindings,
  params,
})

export interface MatmulOptions {
  /** [N], added before the activation. */
  readonly bias?: Tensor | undefined
  readonly activation?: Activation | undefined
  /** [..., N], added after the activation. */
  readonly residual?: Tensor | undefined
}

/** Most rows of x that take the vector form. */
const VECTOR_ROWS = 8

/** Elements a 16-byte load brings. */
const CHUNK: Readonly<Record<WeightDtype, number>> = { f32: 4, f16: 8, bf16: 8, q8: 16, q4: 32 }

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
    if (elementCount(residual.shape) !== M * N) expectShape(`matmul: residual of ${w.name}`, residual, shape)
    if (residual.dtype !== 'f32') expectShape(`matmul: residual of ${w.name}`, residual, residual.shape)
  }
  const y = enc.temp(shape, 'f32', w.name)
  enc.scope(() => {
    const rows = padded(enc, x, w.stride)
    for (const part of w.parts) {
      const tensors = {
        x: rows,
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
      if (M <= VECTOR_ROWS) {
        const BATCH = 2 ** Math.ceil(Math.log2(M))
        const ROWS = BATCH > 2 ? 2 : 4
        const LANES = 8
        const outputs = (64 / LANES) * ROWS
        const variant = vectorKernel.as({ ...constants, CHUNK: CHUNK[w.dtype], BATCH, ROWS, LANES })
        for (const cut of tiles(M, part.rows, BATCH, outputs, w.stride, enc.gpu.caps.maxDispatchFlops)) {
          const at = { ...common, m_start: cut.m, n_start: cut.n }
          enc.dispatch(variant, tensors, at, { groups: cut.nTiles, flops: cut.flops })
        }
      } else {
        const ROWS = M <= 32 ? 2 : 4
        const variant = tileKernel.as({ ...constants, ROWS })
        for (const cut of tiles(M, part.rows, 16 * ROWS, 64, w.stride, enc.gpu.caps.maxDispatchFlops)) {
          const at = { ...common, m_start: cut.m, n_start: cut.n }
          enc.dispatch(variant, tensors, at, { groups: [cut.nTiles, cut.mTiles], flops: cut.flops })
        }
      }
    }
  })
  return y
}

/** x with rows of a weight's stride: x itself when its rows have that length, else a copy with zeros behind. */
function padded(enc: Encoder, x: Tensor, stride: number): Tensor {
  const K = lastDim(x)
  const M = rowsOf(x)
  if (K === stride) return x
  const copy = enc.temp([M, stride], 'f32', 'matmul x')
  const groups = Math.ceil((M * stride) / 256)
  enc.dispatch(padKernel.as(), { x, padded: copy }, { M, K, stride }, { groups })
  return copy
}

/** Cuts a grid of tiles into dispatches of at most `maxFlops`, whole tiles each. */
function* tiles(M: number, N: number, tileM: number, tileN: number, depth: number, maxFlops: number) {
  const tileFlops = 2 * tileM * tileN * depth
  const most = Math.max(1, Math.floor(maxFlops / tileFlops))
  const allM = Math.ceil(M / tileM)
  const allN = Math.ceil(N / tileN)
  const nStep = Math.min(allN, most)
  const mStep = Math.min(allM, Math.max(1, Math.floor(most / nStep)))
  for (let m = 0; m < allM; m += mStep) {
    for (let n = 0; n < allN; n += nStep) {
      const mTiles = Math.min(mStep, allM - m)
      const nTiles = Math.min(nStep, allN - n)
      yield { m: m * tileM, n: n * tileN, mTiles, nTiles, flops: mTiles * nTiles * tileFlops }
    }
  }
}
