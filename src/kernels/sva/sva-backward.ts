import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, type Tensor } from '../tensor'
import reduceLanes from '../wgsl/reduce-lanes.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import backward from './sva-backward.wgsl?raw'
import { dispatchRanges, svaCall, svaForm, WINDOW_PARAMS, type SvaOptions, type SvaTower } from './sva-call'
import statistics from './sva-statistics.wgsl?raw'
import window from './window.wgsl?raw'

const statisticsKernel = defineKernel({
  name: 'sva-statistics',
  wgsl: statistics,
  include: [vec, reduceLanes],
  bindings: { y: 'read', dy: 'read', lse: 'read', cells: 'read', stats: 'write' },
  params: { count: 'u32', heads: 'u32', cols: 'u32', has_cells: 'u32' },
})

const backwardKernel = defineKernel({
  name: 'sva-backward',
  wgsl: backward,
  include: [vec, reduceLanes, window],
  bindings: {
    q: 'read',
    k: 'read',
    v: 'read',
    dy: 'read',
    stats: 'read',
    dk: 'write',
    dv: 'write',
    dq: 'update',
  },
  params: {
    start: 'u32',
    end: 'u32',
    is_first: 'u32',
    heads: 'u32',
    cols: 'u32',
    ...WINDOW_PARAMS,
    scale: 'f32',
  },
})

/** What `svaAttentionWithLse` took and gave, and the gradient of its output. */
export interface SvaSaved {
  /** [N, H*D]. */
  readonly q: Tensor
  /** [N, H*D]. */
  readonly y: Tensor
  /** [N, H]. */
  readonly lse: Tensor
  /** [N, H*D]. */
  readonly dy: Tensor
}

/**
 * dLoss/dq [N, H*D], and for each tower dLoss/dk and dLoss/dv [side*side, H*D]; keys that no query sees get zeros.
 *
 * Throws: ShapeError as `svaAttention`.
 */
export function svaAttentionBackward(
  enc: Encoder,
  { q, y, lse, dy }: SvaSaved,
  towers: readonly SvaTower[],
  options: SvaOptions,
): { dq: Tensor; dk: Tensor[]; dv: Tensor[] } {
  const call = svaCall('sva-backward', q, towers, options)
  const { N, H, D } = call
  expectShape('sva-backward: y', y, q.shape)
  expectShape('sva-backward: dy', dy, q.shape)
  expectShape('sva-backward: lse', lse, [N, H])
  return enc.scope(() => {
    const stats = enc.temp([N, H, 4], 'f32', 'sva stats')
    const { values, perWorkgroup, params } = svaForm(enc, call, towers[0]!, 1)
    enc.dispatch(
      statisticsKernel.as(values),
      { y, dy, lse, cells: options.cells ?? q, stats },
      { count: N * H, heads: H, cols: params.cols, has_cells: Number(options.cells !== undefined) },
      { groups: Math.ceil((N * H) / perWorkgroup) },
    )

    const dq = enc.temp(q.shape, 'f32', 'sva dq')
    const gradients = towers.map((tower, index) => {
      const { k, v, valid, side } = tower
      const dk = enc.temp(k.shape, 'f32', 'sva dk')
      const dv = enc.temp(v.shape, 'f32', 'sva dv')
      if (options.cells || (valid && (valid.from > 0 || valid.to < side))) {
        enc.clear(dk)
        enc.clear(dv)
      }
      const { values, perWorkgroup, params } = svaForm(enc, call, tower, 2)
      const flopsEach = 10 * params.reduce ** 2 * D
      dispatchRanges(enc, { count: N * H, perWorkgroup, flopsEach }, (range, dispatch) =>
        enc.dispatch(
          backwardKernel.as(values),
          { q, k, v, dy, stats, dk, dv, dq },
          { ...params, ...range, is_first: Number(index === 0) },
          dispatch,
        ),
      )
      return { dk, dv }
    })
    return { dq, dk: gradients.map(({ dk }) => dk), dv: gradients.map(({ dv }) => dv) }
  })
}
