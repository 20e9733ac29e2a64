import { ShapeError, TrilobiteError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { elementCount, expectShape, type Tensor } from '../tensor'
import { rowLanes, vecOf } from '../vec'
import reduceVec from '../wgsl/reduce-vec.wgsl?raw'
import reduce from '../wgsl/reduce.wgsl?raw'
import vec from '../wgsl/vec.wgsl?raw'
import partialWgsl from './gradient-norm-partial.wgsl?raw'
import normWgsl from './gradient-norm.wgsl?raw'

const partialKernel = defineKernel({
  name: 'gradient-norm-partial',
  wgsl: partialWgsl,
  include: [vec, reduce, reduceVec],
  bindings: { gradient: 'read', partials: 'update' },
  params: { count: 'u32', slices: 'u32', first: 'u32' },
})

const normKernel = defineKernel({
  name: 'gradient-norm',
  wgsl: normWgsl,
  include: [reduce, reduceVec],
  bindings: { partials: 'read', clip: 'write' },
  params: { count: 'u32', max_norm: 'f32' },
})

/** Vecs of a slice, whose sum one workgroup makes: 16 runs of 256 lanes, or as many of fewer lanes. */
const SLICE = 4096
/** Vecs a lane adds before their sum is added to others, as in the shader. */
const RUN = 16

/**
 * The 2-norm over the entries of all gradients together and the factor that clips it to `maxNorm`; 0 leaves them as they are.
 *
 * Shapes: gradients f32 of any shape -> f32 [4]: norm, scale = min(1, maxNorm / (norm + 1e-6)), 1, 0; where an entry is not
 * finite, or the sum of squares is too large for f32: NaN, 0, 0, 0. The third tells whether a step may be done.
 * Throws: ShapeError unless there are gradients and they are f32; TrilobiteError for a negative maxNorm.
 * Source: torch.nn.utils.clip_grad_norm_.
 */
export function gradientNorm(enc: Encoder, gradients: readonly Tensor[], maxNorm: number): Tensor {
  if (!gradients.some(({ shape }) => elementCount(shape) > 0)) {
    throw new ShapeError('gradient-norm: gradients should have entries but there are none')
  }
  if (!(maxNorm >= 0 && maxNorm < Infinity)) {
    throw new TrilobiteError(`gradient-norm: maxNorm should be 0 for no clipping or more, but is ${maxNorm}`)
  }
  const { caps } = enc.gpu
  const clip = enc.temp([4], 'f32', 'gradient-norm')
  enc.scope(() => {
    const works = gradients.map((gradient, i) => {
      expectShape(`gradient-norm: gradient ${i}`, gradient, gradient.shape)
      const { width, values } = vecOf(elementCount(gradient.shape))
      const count = elementCount(gradient.shape) / width
      return { gradient, width, values, count, slices: Math.ceil(count / SLICE) }
    })
    const total = works.reduce((sum, { slices }) => sum + slices, 0)
    const partials = enc.temp([total, 2], 'f32', 'gradient-norm partials')
    let first = 0
    for (const { gradient, width, values, count, slices } of works) {
      const WG = rowLanes(caps, SLICE)
      const variant = partialKernel.as({
        ...values,
        Words: width === 4 ? 'vec4u' : undefined,
        WG,
        RUNS: SLICE / RUN / WG,
      })
      const flops = 2 * count * width
      enc.dispatch(variant, { gradient, partials }, { count, slices, first }, { groups: slices, flops })
      first += slices
    }
    const WG = rowLanes(caps, total)
    enc.dispatch(
      normKernel.as({ WG }),
      { partials, clip },
      { count: total, max_norm: maxNorm },
      { groups: 1 },
    )
  })
  return clip
}
