import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, type Tensor } from '../tensor'
import reduceLanes from '../wgsl/reduce-lanes.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import { dispatchRanges, svaCall, svaForm, WINDOW_PARAMS, type SvaOptions, type SvaTower } from './sva-call'
import wgsl from './sva-shares.wgsl?raw'
import window from './window.wgsl?raw'

const kernel = defineKernel({
  name: 'sva-shares',
  wgsl,
  include: [vec, reduceLanes, window],
  bindings: { q: 'read', k: 'read', lse: 'read', cells: 'read', shares: 'write' },
  params: {
    start: 'u32',
    end: 'u32',
    has_cells: 'u32',
    tower: 'u32',
    towers: 'u32',
    heads: 'u32',
    cols: 'u32',
    ...WINDOW_PARAMS,
    scale: 'f32',
  },
})

/**
 * How much of each query's attention falls on each tower, averaged over heads; rows sum to 1.
 *
 * Shapes: q [N, H*D], lse [N, H] of `svaAttentionWithLse` -> [N, towers].
 * Throws: ShapeError as `svaAttention`.
 */
export function svaShares(
  enc: Encoder,
  q: Tensor,
  lse: Tensor,
  towers: readonly SvaTower[],
  options: SvaOptions,
): Tensor {
  const call = svaCall('sva-shares', q, towers, options)
  expectShape('sva-shares: lse', lse, [call.N, call.H])
  const shares = enc.temp([call.N, towers.length], 'f32', 'sva shares')
  const cells = options.cells ?? q // bound, not read
  const has_cells = Number(options.cells !== undefined)
  towers.forEach((tower, index) => {
    const { values, perWorkgroup, params } = svaForm(enc, call, tower)
    const flopsEach = 2 * call.H * params.reduce ** 2 * call.D
    dispatchRanges(enc, { count: call.N, perWorkgroup, flopsEach }, (range, dispatch) =>
      enc.dispatch(
        kernel.as(values),
        { q, k: tower.k, lse, cells, shares },
        { ...params, ...range, has_cells, tower: index, towers: towers.length },
        dispatch,
      ),
    )
  })
  return shares
}
