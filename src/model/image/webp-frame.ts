import { latin1, uint24 } from './bytes'
import { readRiffChunks, readWebpChunks, type Chunk } from './containers'

/** The first frame of an animated WebP file, as a still file of its own. */
export interface WebpFrame {
  readonly file: Uint8Array
  /** Where the frame lies on the canvas. Units: pixels. */
  readonly left: number
  readonly top: number
}

/**
 * Takes the first frame out of an animation; undefined for still files.
 *
 * Source: RFC 9649, sections 2.7.1.1 (ANMF) and 2.7 (VP8X).
 */
export function firstWebpFrame(bytes: Uint8Array): WebpFrame | undefined {
  let isAnimated = false
  for (const { type, data } of readWebpChunks(bytes)) {
    if (type === 'VP8X') isAnimated = (data[0]! & 0x02) !== 0
    if (!isAnimated || type !== 'ANMF' || data.length < 16) continue
    const parts = [...readRiffChunks(data.subarray(16))]
    const alpha = parts.find((part) => part.type === 'ALPH')
    const pixels = parts.find((part) => part.type === 'VP8 ' || part.type === 'VP8L')
    if (!pixels) return undefined
    const chunks = [pixels]
    if (alpha && pixels.type === 'VP8 ') {
      const extended = new Uint8Array(10)
      extended[0] = 0x10 // has alpha
      extended.set(data.subarray(6, 12), 4) // width - 1, height - 1
      chunks.unshift({ type: 'VP8X', data: extended }, alpha)
    }
    return { file: writeWebp(chunks), left: uint24(data, 0) * 2, top: uint24(data, 3) * 2 }
  }
  return undefined
}

function writeWebp(chunks: Chunk[]): Uint8Array {
  const padded = (n: number) => n + (n & 1)
  const size = 4 + chunks.reduce((sum, chunk) => sum + 8 + padded(chunk.data.length), 0)
  const file = new Uint8Array(8 + size)
  const view = new DataView(file.buffer)
  const putText = (text: string, at: number) => {
    for (let i = 0; i < text.length; i++) file[at + i] = text.charCodeAt(i)
  }
  putText('RIFF', 0)
  view.setUint32(4, size, true)
  putText('WEBP', 8)
  let at = 12
  for (const { type, data } of chunks) {
    putText(type, at)
    view.setUint32(at + 4, data.length, true)
    file.set(data, at + 8)
    at += 8 + padded(data.length)
  }
  return file
}

/** Whether the RIFF header promises more bytes than there are. */
export function isWebpTruncated(bytes: Uint8Array): boolean {
  if (bytes.length < 12 || latin1(bytes.subarray(0, 4)) !== 'RIFF') return true
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true) + 8 > bytes.length
}
