import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { rowLanes, vecOf } from '../vec'
import reduceVec from '../wgsl/reduce-vec.wgsl?raw'
import reduce from '../wgsl/reduce.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import backward from './layer-norm-backward.wgsl?raw'
import statisticsShader from './layer-norm-statistics.wgsl?raw'
import weightBackward from './layer-norm-weight-backward.wgsl?raw'
import weightReduce from './layer-norm-weight-reduce.wgsl?raw'
import forward from './layer-norm.wgsl?raw'

const kernel = defineKernel({
  name: 'layer-norm',
  wgsl: forward,
  include: [vec, reduce],
  bindings: { x: 'read', weight: 'read', bias: 'read', y: 'write' },
  params: { rows: 'u32', cols: 'u32', eps: 'f32' },
})

const backwardKernel = defineKernel({
  name: 'layer-norm-backward',
  wgsl: backward,
  include: [vec, reduce, reduceVec],
  bindings: { dy: 'read', x: 'read', weight: 'read', dx: 'write' },
  params: { rows: 'u32', cols: 'u32', eps: 'f32' },
})

const statisticsKernel = defineKernel({
  name: 'layer-norm-statistics',
  wgsl: statisticsShader,
  include: [vec, reduce],
  bindings: { x: 'read', statistics: 'write' },
  params: { rows: 'u32', cols: 'u32', eps: 'f32' },
})

const weightBackwardKernel = defineKernel({
  name: 'layer-norm-weight-backward',
  wgsl: weightBackward,
  include: [vec],
  bindings: { dy: 'read', x: 'read', statistics: 'read', partial: 'write' },
  params: { rows: 'u32', cols: 'u32', chunkRows: 'u32' },
})

const weightReduceKernel = defineKernel({
  name: 'layer-norm-weight-reduce',
  wgsl: weightReduce,
  include: [vec],
  bindings: { partial: 'read', dWeight: 'update', dBias: 'update' },
  params: { chunks: 'u32', cols: 'u32', accumulate: 'u32' },
})

/** Columns' workgroup: a warp or two, so that narrow tensors still spread over many workgroups. */
const COLUMN_WG = 64
/** Chunks of rows summed side by side; more of them would make the second, serial pass the longer one. */
const MAX_CHUNKS = 64
const MIN_CHUNK_ROWS = 16

function sizes(enc: Encoder, x: Tensor) {
  const C = lastDim(x)
  const { width, values } = vecOf(C)
  const cols = C / width
  return { C, rows: rowsOf(x), cols, vec: values, row: { ...values, WG: rowLanes(enc.gpu.caps, cols) } }
}

/**
 * Layer norm over the last axis.
 *
 * Shapes: x [..., C], weight [C], bias [C] -> y [..., C].
 * Throws: ShapeError unless weight and bias are [C].
 * Source: arXiv:1607.06450; biased variance, as torch.nn.LayerNorm.
 */
export function layerNorm(enc: Encoder, x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  const { C, rows, cols, row } = sizes(enc, x)
  expectShape('layer-norm: weight', weight, [C])
  expectShape('layer-norm: bias', bias, [C])
  const y = enc.temp(x.shape, 'f32', 'layer-norm')
  enc.dispatch(kernel.as(row), { x, weight, bias, y }, { rows, cols, eps }, { groups: rows })
  return y
}

/**
 * dLoss/dx.
 *
 * Shapes: dy, x [..., C], weight [C] -> dx [..., C].
 * Throws: ShapeError unless dy is as x and weight is [C].
 */
export function layerNormBackward(enc: Encoder, dy: Tensor, x: Tensor, weight: Tensor, eps: number): Tensor {
  const { C, rows, cols, row } = sizes(enc, x)
  expectShape('layer-norm-backward: dy', dy, x.shape)
  expectShape('layer-norm-backward: weight', weight, [C])
  const dx = enc.temp(x.shape, 'f32', 'layer-norm dx')
  enc.dispatch(backwardKernel.as(row), { dy, x, weight, dx }, { rows, cols, eps }, { groups: rows })
  return dx
}

/**
 * dLoss/dWeight and dLoss/dBias, added to what `into` holds where `accumulate`, else written over it.
 *
 * The sums run in a fixed order: the same inputs give the same bits.
 * Shapes: dy, x [..., C]; dWeight, dBias [C].
 * Throws: ShapeError unless they are.
 */
export function layerNormWeightBackward(
  enc: Encoder,
  dy: Tensor,
  x: Tensor,
  eps: number,
  into: { readonly dWeight: Tensor; readonly dBias: Tensor },
  accumulate: boolean,
): void {
  const { C, rows, cols, vec, row } = sizes(enc, x)
  const { dWeight, dBias } = into
  expectShape('layer-norm-weight-backward: dy', dy, x.shape)
  expectShape('layer-norm-weight-backward: dWeight', dWeight, [C])
  expectShape('layer-norm-weight-backward: dBias', dBias, [C])
  const chunkRows = Math.max(MIN_CHUNK_ROWS, Math.ceil(rows / MAX_CHUNKS))
  const chunks = Math.ceil(rows / chunkRows)
  const groups = Math.ceil(cols / COLUMN_WG)
  const column = { ...vec, WG: COLUMN_WG }
  enc.scope(() => {
    const statistics = enc.temp([rows, 2], 'f32', 'layer-norm statistics')
    const partial = enc.temp([chunks, 2, C], 'f32', 'layer-norm partial')
    enc.dispatch(statisticsKernel.as(row), { x, statistics }, { rows, cols, eps }, { groups: rows })
    enc.dispatch(
      weightBackwardKernel.as(column),
      { dy, x, statistics, partial },
      { rows, cols, chunkRows },
      { groups: [groups, chunks] },
    )
    enc.dispatch(
      weightReduceKernel.as(column),
      { partial, dWeight, dBias },
      { chunks, cols, accumulate: Number(accumulate) },
      { groups },
    )
  })
}
