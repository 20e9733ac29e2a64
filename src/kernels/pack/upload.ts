import type { Encoder } from '../gpu/encoder'
import { ELEMENTS_PER_WORD, type Weight } from '../weight'
import type { Tensor } from '../tensor'
import { packRows, widen, type RawDtype } from './pack'

/**
 * Puts rows of a checkpoint's tensor, as they lie on the host, into rows of a weight. Rows that keep their bits go where they
 * belong at once; others are packed on the GPU from a temporary, so `enc` is submitted.
 *
 * Shapes: bytes of [rows, weight.cols] elements, unpadded -> weight rows rowStart to rowStart + rows.
 * Throws: as packRows.
 */
export function uploadRows(
  enc: Encoder,
  weight: Weight,
  bytes: Uint8Array<ArrayBuffer>,
  { rowStart, rows, dtype }: { rowStart: number; rows: number; dtype: RawDtype },
): void {
  if (weight.dtype !== dtype || weight.cols !== weight.stride || rowStart + rows > weight.rows) {
    packRows(enc, weight, uploadRaw(enc, bytes), { rowStart, rows, dtype })
    enc.end()
    return
  }
  const { queue } = enc.gpu.device
  const rowBytes = (weight.stride / ELEMENTS_PER_WORD[dtype]) * 4
  for (const part of weight.parts) {
    const first = Math.max(rowStart, part.rowStart)
    const end = Math.min(rowStart + rows, part.rowStart + part.rows)
    if (first >= end) continue
    const { buffer, offset } = part.data
    const from = bytes.subarray((first - rowStart) * rowBytes, (end - rowStart) * rowBytes)
    queue.writeBuffer(buffer, offset + (first - part.rowStart) * rowBytes, from)
  }
  // Writes wait for a submit; the GPU copies these while the next bytes are fetched.
  queue.submit([])
}

/**
 * Puts 1-D checkpoint data on the GPU as f32, exactly; `enc` is submitted.
 *
 * Throws: as widen.
 */
export function uploadVector(
  enc: Encoder,
  out: Tensor,
  bytes: Uint8Array<ArrayBuffer>,
  dtype: RawDtype,
): void {
  const elementBytes = dtype === 'f32' ? 4 : 2
  widen(enc, uploadRaw(enc, bytes), dtype, bytes.length / elementBytes, out)
  enc.end()
}

function uploadRaw(enc: Encoder, bytes: Uint8Array<ArrayBuffer>): Tensor {
  const words = Math.ceil(bytes.length / 4)
  const raw = enc.temp([words], 'u32', 'raw weights')
  let whole = bytes
  if (bytes.length % 4) {
    whole = new Uint8Array(words * 4)
    whole.set(bytes)
  }
  enc.gpu.device.queue.writeBuffer(raw.buffer, raw.offset, whole)
  return raw
}
