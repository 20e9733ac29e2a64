import { ShapeError } from '../errors'
import type { Encoder } from '../gpu/encoder'
import { defineKernel } from '../gpu/kernel'
import { expectShape, lastDim, rowsOf, type Tensor } from '../tensor'
import { FLAT_WG, vecOf } from '../vec'
import vec from '../wgsl/vec.wgsl?raw'
import embed from './embed-patches.wgsl?raw'
import cut from './patchify.wgsl?raw'

const patchifyKernel = defineKernel({
  name: 'patchify',
  wgsl: cut,
  bindings: { pixels: 'read', patches: 'write' },
  params: { count: 'u32', channels: 'u32', H: 'u32', W: 'u32', P: 'u32' },
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
