import { ShapeError } from '../errors'
import type { Capabilities } from '../gpu/device'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { bySharing, CHUNK, groupRuns, vectorForm } from '../vector-form'
import { isQuantised, WEIGHT_DTYPE_CODE, type Weight } from '../weight'
import products from '../wgsl/chunk-products.wgsl?raw'
import chunks from '../wgsl/chunks.wgsl?raw'
import normedRow from '../wgsl/normed-row.wgsl?raw'
import weights from '../wgsl/weights.wgsl?raw'
import shader from './norm-matmul.wgsl?raw'

const kernels = bySharing((includes, sharing) =>
  defineKernel({
    name: `norm-matmul-${sharing}`,
    wgsl: shader,
    include: [weights, chunks, products, normedRow, ...includes],
    bindings: { x: 'read', gain: 'read', w: 'read', scales: 'read', bias: 'read', y: 'update' },
    params: { K4: 'u32', rows: 'u32', col_start: 'u32', n_start: 'u32', eps: 'f32' },
  }),
)

/** The RMS norm of a row. */
export interface RowNorm {
  /** f32 [K]. */
  readonly gain: Tensor
  readonly eps: number
}

/** Rows of a dense weight from which a CPU adapter does better with a norm of its own. */
const MANY_ROWS = 16_384

/**
 * Whether `normMatmul` takes these and is faster: one row, of a length that needs no padding.
 *
 * Dense weights read the gain along with x for every four rows, which costs a CPU adapter a fifth of the product: more than
 * another dispatch where rows are many, as in output matrices.
 */
export const normMatmulFits = (caps: Pick<Capabilities, 'isSoftware'>, x: Tensor, w: Weight): boolean =>
  isOneWholeRow(x, w) && !(caps.isSoftware && !isQuantised(w.dtype) && w.rows >= MANY_ROWS)

const isOneWholeRow = (x: Tensor, w: Weight) => rowsOf(x) === 1 && w.cols === w.stride

/**
 * Product of one row's RMS norm with a weight: y = rmsNorm(x) Wᵀ + bias, as `rmsNorm` and `matmul`.
 *
 * Shapes: x f32 [1, K], gain [K], w [N, K], bias [N] -> y f32 [1, N].
 * Throws: ShapeError unless the shapes agree, x is one row and K a multiple of 32.
 */
export function normMatmul(
  enc: Encoder,
  x: Tensor,
  { gain, eps }: RowNorm,
  w: Weight,
  bias?: Tensor,
): Tensor {
  const { rows: N, cols: K, stride } = w
  if (lastDim(x) !== K || x.dtype !== 'f32' || !isOneWholeRow(x, w)) {
    throw new ShapeError(
      `norm-matmul: x should be f32 [1, K] with K = ${K} a multiple of 32 for ${w.name} [${N}, ${K}] but is ` +
        `${x.dtype} [${x.shape.join(', ')}]; take rmsNorm and matmul`,
    )
  }
  expectShape(`norm-matmul: gain for ${w.name}`, gain, [K])
  if (bias) expectShape(`norm-matmul: bias of ${w.name}`, bias, [N])
  const y = enc.temp([...x.shape.slice(0, -1), N], 'f32', w.name)
  for (const part of w.parts) {
    const { sharing, constants, groupRows } = vectorForm(enc.gpu.caps, w.dtype, part.rows, 4)
    const variant = kernels[sharing].as({
      W_DTYPE: WEIGHT_DTYPE_CODE[w.dtype],
      CHUNK: CHUNK[w.dtype],
      ...constants,
      QUADS: 2,
      HAS_BIAS: bias !== undefined,
    })
    const tensors = { x, gain, w: part.data, scales: part.scales ?? part.data, bias: bias ?? gain, y }
    for (const run of groupRuns(Math.ceil(part.rows / groupRows), 2 * groupRows * stride, enc.gpu.caps)) {
      enc.dispatch(
        variant,
        tensors,
        { K4: stride / 4, rows: part.rows, col_start: part.rowStart, n_start: run.first * groupRows, eps },
        { groups: [run.count], flops: run.flops },
      )
    }
  }
  return y
}
