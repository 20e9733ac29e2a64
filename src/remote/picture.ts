import type { ImageInput } from '../worker/api'
import { contractError } from './errors'

/** Longest side that is sent, in pixels: more than the towers of such models look at, tiles included. */
const MAX_SIDE = 2048
/** Largest file that is sent as it is, in bytes: many servers take requests of about 10 MB. */
const MAX_BYTES = 6e6
const JPEG_QUALITY = 0.92

/**
 * A picture as a data: URI: as it was given, or drawn anew where it is too large, or of a type that servers may not read.
 * Without a canvas, as in Node, it is sent as it is.
 *
 * Throws: ImageError.
 */
export async function pictureUrl(
  { blob }: ImageInput,
  number: number,
  onNotice: (message: string) => void,
): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer())
  const type = sniff(bytes)
  if (typeof createImageBitmap === 'undefined' || typeof OffscreenCanvas === 'undefined') {
    if (type) return dataUrl(type, bytes)
    throw contractError(
      'ImageError',
      `image ${number}: expected PNG, JPEG, WebP or GIF, got another file; convert it.`,
    )
  }
  const bitmap = await createImageBitmap(new Blob([bytes], { type: type ?? blob.type })).catch(() => {
    throw contractError(
      'ImageError',
      `image ${number}: expected a picture, got a file that cannot be decoded.`,
    )
  })
  try {
    const { width, height } = bitmap
    const scale = Math.min(1, MAX_SIDE / Math.max(width, height))
    if (type && scale === 1 && bytes.length <= MAX_BYTES) return dataUrl(type, bytes)
    const canvas = new OffscreenCanvas(
      Math.max(1, Math.round(width * scale)),
      Math.max(1, Math.round(height * scale)),
    )
    const drawn = await draw(bitmap, canvas, type === 'image/jpeg' ? 'image/jpeg' : 'image/png')
    if (type) {
      onNotice(
        `Picture ${number} was too large to send: ${width} × ${height} pixels, ${megabytes(bytes.length)}. ` +
          `The server got it as ${canvas.width} × ${canvas.height}, ${megabytes(drawn.size)}.`,
      )
    }
    return dataUrl(drawn.type, new Uint8Array(await drawn.arrayBuffer()))
  } finally {
    bitmap.close()
  }
}

async function draw(
  bitmap: ImageBitmap,
  canvas: OffscreenCanvas,
  type: 'image/png' | 'image/jpeg',
): Promise<Blob> {
  const context = canvas.getContext('2d')!
  context.imageSmoothingQuality = 'high'
  if (type === 'image/jpeg') {
    // JPEG has no transparency, and would show it as black.
    context.fillStyle = 'white'
    context.fillRect(0, 0, canvas.width, canvas.height)
  }
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  const drawn = await canvas.convertToBlob({ type, quality: JPEG_QUALITY })
  return type === 'image/png' && drawn.size > MAX_BYTES ? draw(bitmap, canvas, 'image/jpeg') : drawn
}

const megabytes = (sizeBytes: number) => `${(sizeBytes / 1e6).toFixed(1)} MB`

/** Of the types that every such server reads, what a file's first bytes tell. */
function sniff(bytes: Uint8Array): string | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 12))
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP') return 'image/webp'
  if (head.startsWith('GIF8')) return 'image/gif'
  return undefined
}

function dataUrl(type: string, bytes: Uint8Array): string {
  /** Characters that one call takes as arguments, a multiple of three so that no padding comes in between. */
  const STEP = 0x6000
  let base64 = ''
  for (let at = 0; at < bytes.length; at += STEP)
    base64 += btoa(String.fromCharCode(...bytes.subarray(at, at + STEP)))
  return `data:${type};base64,${base64}`
}
