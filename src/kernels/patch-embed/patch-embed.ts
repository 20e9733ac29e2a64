import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import embed from './embed-patches.wgsl?raw'
import cut from './patchify.wgsl?raw'
import blocksOf2 from './space-to-depth-2.wgsl?raw'
import blocks from './space-to-depth.wgsl?raw'

const patchifyKernel = defineKernel({
  name: 'patchify',
  wgsl: cut,
  bindings: { pixels: 'read', patches: 'write' },
  params: { count: 'u32', channels: 'u32', H: 'u32', W: 'u32', P: 'u32' },
})

const blocksKernel = defineKernel({
  name: 'space-to-depth',
  wgsl: blocks,
  bindings: { x: 'read', y: 'write' },
  params: { count: 'u32', C: 'u32', H: 'u32', W: 'u32' },
})

const blocksOf2Kernel = defineKernel({
  name: 'space-to-depth-2',
  wgsl: blocksOf2,
  bindings: { x: 'read', y: 'write' },
  params: { count: 'u32', C: 'u32', H: 'u32', W: 'u32' },
})

const embedKernel = defineKernel({
  name: 'embed-patches',
  wgsl: embed,
  include: [vec],
  bindings: { patches: 'read', position: 'read', cls: 'read', y: 'write' },
  params: { count: 'u32', cols: 'u32', S: 'u32' },
})

/**
 * Cuts pictures into patches, so that the patch convolution becomes a matrix product with its weight [d, 3*P*P].
 *
 * Shapes: pixels [B, 3, H, W] -> [B*gh*gw, 3*P*P] with gh = floor(H / P), gw = floor(W / P); the remainder is dropped.
 * Units: patchSize in pixels.
 * Throws: ShapeError unless pixels has four axes and holds a whole patch.
 */
export function patchify(enc: Encoder, pixels: Tensor, patchSize: number): Tensor {
  expectShape('patchify: pixels', pixels, pixels.shape)
  const [B, channels, H, W] = pixels.shape
  if (pixels.shape.length !== 4 || !B || !channels || !H || !W) {
    throw new ShapeError(`patchify: pixels should be [B, 3, H, W] but is [${pixels.shape.join(', ')}]`)
  }
  if (!Number.isInteger(patchSize) || patchSize < 1 || H < patchSize || W < patchSize) {
    throw new ShapeError(
      `patchify: pictures of ${H} x ${W} should hold a whole patch but its side is ${patchSize}; resize them first`,
    )
  }
  const P = patchSize
  const rows = B * Math.floor(H / P) * Math.floor(W / P)
  const patches = enc.temp([rows, channels * P * P], 'f32', 'patches')
  const count = rows * channels * P * P
  enc.dispatch(
    patchifyKernel.as({ WG: FLAT_WG }),
    { pixels, patches },
    { count, channels, H, W, P },
    { groups: Math.ceil(count / FLAT_WG) },
  )
  return patches
}

export interface SpaceToDepthOptions {
  /** Maps that lie one after another in x. */
  readonly batch: number
  readonly height: number
  readonly width: number
  /** Side of a block in cells: kernel size and stride of the convolution. */
  readonly block: number
}

/**
 * Lays the blocks of channel-last maps out as rows, so that a convolution whose stride is its size becomes a matrix
 * product with its weight [out, C, k, k] seen as [out, C*k*k].
 *
 * Shapes: x [B*h*w, C] -> [B*floor(h / k)*floor(w / k), C*k*k], columns in the order c, y, x; the remainder is dropped.
 * Throws: ShapeError unless x has those rows and a map holds a whole block.
 */
export function spaceToDepth(
  enc: Encoder,
  x: Tensor,
  { batch, height, width, block: K }: SpaceToDepthOptions,
): Tensor {
  const C = lastDim(x)
  expectShape('space-to-depth: x', x, [batch * height * width, C])
  if (!Number.isInteger(K) || K < 1 || height < K || width < K) {
    throw new ShapeError(
      `space-to-depth: maps of ${height} x ${width} should hold a whole block but its side is ${K}; choose a smaller one`,
    )
  }
  const rows = batch * Math.floor(height / K) * Math.floor(width / K)
  const y = enc.temp([rows, C * K * K], 'f32', 'space-to-depth')
  const variant = K === 2 ? blocksOf2Kernel.as({ WG: FLAT_WG }) : blocksKernel.as({ K, WG: FLAT_WG })
  const count = K === 2 ? rows * C : rows * C * K * K
  enc.dispatch(variant, { x, y }, { count, C, H: height, W: width }, { groups: Math.ceil(count / FLAT_WG) })
  return y
}

/**
 * Puts the class token, if there is one, before each picture's patches and adds the positions.
 *
 * Shapes: patches [B*n, C], cls [C], position [n + 1, C] -> [B*(n + 1), C]; without cls, n in place of n + 1.
 * Throws: ShapeError unless the patches divide into pictures of that many rows.
 */
export function embedPatches(enc: Encoder, patches: Tensor, position: Tensor, cls?: Tensor): Tensor {
  const C = lastDim(patches)
  const S = rowsOf(position)
  const n = cls ? S - 1 : S
  const B = rowsOf(patches) / n
  expectShape('embed-patches: patches', patches, [rowsOf(patches), C])
  expectShape('embed-patches: position', position, [S, C])
  if (cls) expectShape('embed-patches: cls', cls, [C])
  if (!Number.isInteger(B)) {
    throw new ShapeError(
      `embed-patches: patches should hold whole pictures of ${n} rows but has ${rowsOf(patches)}; ` +
        `position has ${S} rows${cls ? ', one of them for the class token' : ''}`,
    )
  }
  const y = enc.temp([B * S, C], 'f32', 'embed-patches')
  const { width, values } = vecOf(C)
  const count = (B * S * C) / width
  enc.dispatch(
    embedKernel.as({ ...values, HAS_CLS: cls !== undefined, WG: FLAT_WG }),
    { patches, position, cls: cls ?? position, y },
    { count, cols: C / width, S },
    { groups: Math.ceil(count / FLAT_WG) },
  )
  return y
}
