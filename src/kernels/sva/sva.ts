import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import type { Tensor } from '../tensor'
import reduceLanes from '../wgsl/reduce-lanes.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import { dispatchRanges, svaCall, svaForm, WINDOW_PARAMS, type SvaOptions, type SvaTower } from './sva-call'
import wgsl from './sva.wgsl?raw'
import window from './window.wgsl?raw'

export type { SvaOptions, SvaTower }

const kernel = defineKernel({
  name: 'sva',
  wgsl,
  include: [vec, reduceLanes, window],
  bindings: { q: 'read', k: 'read', v: 'read', cells: 'read', y: 'update', lse: 'update' },
  params: {
    start: 'u32',
    end: 'u32',
    is_first: 'u32',
    has_cells: 'u32',
    heads: 'u32',
    cols: 'u32',
    ...WINDOW_PARAMS,
    scale: 'f32',
  },
})

/**
 * Attention of every cell of a square grid to its own block of each tower's map, one softmax over all of them.
 *
 * Shapes: q [N, H*D] -> y [N, H*D].
 * Throws: ShapeError when a tower's map does not divide into the grid's cells or rows do not fit together.
 * Source: arXiv:2406.16860, section 3.2; masks as in Cambrian-1's inference code.
 */
export function svaAttention(
  enc: Encoder,
  q: Tensor,
  towers: readonly SvaTower[],
  options: SvaOptions,
): Tensor {
  const { y, lse } = svaAttentionWithLse(enc, q, towers, options)
  enc.release(lse)
  return y
}

/** As `svaAttention`, with lse [N, H] = log of each row's sum of exponentials, for the backward pass and the shares. */
export function svaAttentionWithLse(
  enc: Encoder,
  q: Tensor,
  towers: readonly SvaTower[],
  options: SvaOptions,
): { y: Tensor; lse: Tensor } {
  const call = svaCall('sva', q, towers, options)
  const y = enc.temp(q.shape, 'f32', 'sva')
  const lse = enc.temp([call.N, call.H], 'f32', 'sva lse')
  const cells = options.cells ?? q // bound, not read
  const has_cells = Number(options.cells !== undefined)
  towers.forEach((tower, index) => {
    const { values, perWorkgroup, params } = svaForm(enc, call, tower)
    const flopsEach = 4 * params.reduce ** 2 * call.D
    dispatchRanges(enc, { count: call.N * call.H, perWorkgroup, flopsEach }, (range, dispatch) =>
      enc.dispatch(
        kernel.as(values),
        { q, k: tower.k, v: tower.v, cells, y, lse },
        { ...params, ...range, is_first: Number(index === 0), has_cells },
        dispatch,
      ),
    )
  })
  return { y, lse }
}
