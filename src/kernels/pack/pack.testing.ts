import type { Gpu } from '../gpu/device'
import type { Encoder } from '../gpu/encoder'
import type { Shaped } from '../testing/numbers'
import type { Tensor } from '../tensor'
import { createWeight, destroyWeight, type Weight, type WeightDtype } from '../weight'
import { packRows, type RawDtype } from './pack'
import { bf16BitsRef, bf16ValueRef, halfBitsRef, halfValueRef } from './pack.ref'

/** A weight of an f32 tensor's values; `partRows` (a multiple of 64) splits it as a small binding limit would. */
export function weightFrom(enc: Encoder, values: Tensor, dtype: WeightDtype, partRows?: number): Weight {
  const [rows = 0, cols = 0] = values.shape
  const weight = emptyWeight(enc.gpu, rows, cols, dtype, partRows)
  if (dtype === 'bf16') throw new Error('weightFrom: bf16 weights come from bf16 bytes; see rawHalves')
  packRows(enc, weight, asWords(values), { rowStart: 0, rows, dtype: 'f32' })
  return weight
}

/** A weight of zeros, split every `partRows` rows. */
export function emptyWeight(
  gpu: Gpu,
  rows: number,
  cols: number,
  dtype: WeightDtype,
  partRows?: number,
): Weight {
  if (partRows === undefined) return createWeight(gpu, 'w', rows, cols, dtype)
  const rowBytes = (Math.ceil(cols / 32) * 32 * { f32: 32, f16: 16, bf16: 16, q8: 8, q4: 4 }[dtype]) / 8
  const small = {
    caps: { ...gpu.caps, maxBindingBytes: partRows * rowBytes },
    createBuffer: gpu.createBuffer.bind(gpu),
  }
  return createWeight(small as unknown as Gpu, 'w', rows, cols, dtype)
}

/** Weights made while recording are freed by this once their results were read. */
export function destroyWeights(gpu: Gpu, weights: readonly Weight[]): void {
  for (const weight of weights) destroyWeight(gpu, weight)
}

/** An uploaded tensor's bytes as the u32 words packing takes. */
export const asWords = (tensor: Tensor): Tensor => ({ ...tensor, dtype: 'u32' })

/** Checkpoint bytes of values in a dtype, `skip` elements of junk before them, as words in a Float32Array. */
export function rawBytes(values: ArrayLike<number>, dtype: RawDtype, skip = 0): Shaped {
  const count = skip + values.length
  const words = new Float32Array(dtype === 'f32' ? count : Math.ceil(count / 2))
  const halves = new Uint16Array(words.buffer)
  for (let i = 0; i < skip; i++) halves[i] = 0x1234
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (dtype === 'f32') words[skip + i] = value
    else halves[skip + i] = dtype === 'f16' ? halfBitsRef(value) : bf16BitsRef(value)
  }
  return Object.assign(words, { shape: [words.length] })
}

/** A value as the dtype holds it. */
export function heldAs(dtype: RawDtype, value: number): number {
  if (dtype === 'f16') return halfValueRef(halfBitsRef(value))
  return dtype === 'bf16' ? bf16ValueRef(bf16BitsRef(value)) : Math.fround(value)
}
