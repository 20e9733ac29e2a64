import { ImageError } from '../errors'
import { latin1, startsWith, uint24, viewOf } from './bytes'
import { readJpegStructure, readWebpChunks } from './containers'

export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'gif'

/** What the first bytes of a file tell, before any pixel is decoded. */
export interface ImageHeader {
  readonly format: ImageFormat
  /** Units: pixels, as stored; orientation is not applied yet. */
  readonly width: number
  readonly height: number
}

const ADVICE = 'Use a PNG, JPEG, WebP or GIF picture.'

/**
 * Recognises a picture by its content (never by its name) and reads its size.
 *
 * Throws: ImageError for anything but PNG, JPEG, WebP and GIF, and for files that end before their size is told.
 */
export function readImageHeader(bytes: Uint8Array): ImageHeader {
  if (bytes.length === 0)
    throw new ImageError(`decode image: expected a picture, got an empty file. ${ADVICE}`)
  const format = sniffFormat(bytes)
  if (!format) {
    throw new ImageError(
      `decode image: expected PNG, JPEG, WebP or GIF, got ${describeForeign(bytes)}. ${ADVICE}`,
    )
  }
  const size = readSize[format](bytes)
  if (!size) throw truncated(format, bytes)
  return { format, ...size }
}

/** The error for a file that ends before its picture does. */
export function truncated(format: ImageFormat, bytes: Uint8Array): ImageError {
  return new ImageError(
    `decode image: expected a whole ${NAMES[format]} file, got one that is cut short at ${bytes.length} bytes. ` +
      'Download or copy it again.',
  )
}

/** The error for a file its codec cannot make sense of. */
export function damaged(format: ImageFormat, reason: string): ImageError {
  return new ImageError(
    `decode image: expected a readable ${NAMES[format]} file, got a damaged or unusual one (${reason}). ` +
      'Open it in an image editor and save it anew.',
  )
}

export const NAMES: Record<ImageFormat, string> = { png: 'PNG', jpeg: 'JPEG', webp: 'WebP', gif: 'GIF' }

function sniffFormat(bytes: Uint8Array): ImageFormat | undefined {
  if (startsWith(bytes, '\x89PNG\r\n\x1a\n')) return 'png'
  if (startsWith(bytes, '\xff\xd8\xff')) return 'jpeg'
  if (startsWith(bytes, 'GIF87a') || startsWith(bytes, 'GIF89a')) return 'gif'
  if (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) return 'webp'
  return undefined
}

type Size = { width: number; height: number }

const readSize: Record<ImageFormat, (bytes: Uint8Array) => Size | undefined> = {
  png(bytes) {
    if (bytes.length < 33) return undefined
    if (!startsWith(bytes, 'IHDR', 12)) throw damaged('png', 'its first chunk is not IHDR')
    const view = viewOf(bytes)
    return { width: view.getUint32(16), height: view.getUint32(20) }
  },

  jpeg(bytes) {
    const frame = readJpegStructure(bytes).frame
    return frame && { width: frame.width, height: frame.height }
  },

  gif(bytes) {
    if (bytes.length < 13) return undefined
    const view = viewOf(bytes)
    return { width: view.getUint16(6, true), height: view.getUint16(8, true) }
  },

  webp(bytes) {
    for (const chunk of readWebpChunks(bytes)) {
      const { data } = chunk
      const view = viewOf(data)
      if (chunk.type === 'VP8X' && data.length >= 10) {
        return { width: 1 + uint24(data, 4), height: 1 + uint24(data, 7) }
      }
      if (chunk.type === 'VP8 ' && data.length >= 10) {
        return { width: view.getUint16(6, true) & 0x3fff, height: view.getUint16(8, true) & 0x3fff }
      }
      if (chunk.type === 'VP8L' && data.length >= 5) {
        const packed = view.getUint32(1, true)
        return { width: 1 + (packed & 0x3fff), height: 1 + ((packed >>> 14) & 0x3fff) }
      }
    }
    return undefined
  },
}

/** In words, for people: what a file that is none of ours seems to be. */
function describeForeign(bytes: Uint8Array): string {
  const brand = latin1(bytes.subarray(8, 12))
  if (startsWith(bytes, 'ftyp', 4)) {
    if (brand === 'avif' || brand === 'avis') return 'an AVIF picture'
    if (/^(hei[cmsx]|hev[cmsx]|mif1|msf1)$/.test(brand)) return 'a HEIC picture (as phones take them)'
    return 'a video or other MP4-like file'
  }
  for (const [magic, name] of FOREIGN) if (startsWith(bytes, magic)) return name
  const head = latin1(bytes.subarray(0, 1024))
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart()
  if (/^<\?xml|^<svg|^<!DOCTYPE svg|^<!--/i.test(head)) {
    return /<svg/i.test(head) ? 'an SVG drawing (it has no pixels yet: export it as PNG)' : 'an XML file'
  }
  if (/^<(!doctype html|html|head|body)/i.test(head)) return 'a web page'
  if (isText(bytes.subarray(0, 1024))) return 'a text file'
  const hex = [...bytes.subarray(0, 4)].map((b) => b.toString(16).padStart(2, '0')).join(' ')
  return `a file of unknown kind (${bytes.length} bytes beginning ${hex})`
}

const FOREIGN: [magic: string, name: string][] = [
  ['BM', 'a BMP picture'],
  ['II*\0', 'a TIFF picture or camera raw file'],
  ['MM\0*', 'a TIFF picture or camera raw file'],
  ['\0\0\x01\0', 'an icon file'],
  ['\xff\x0a', 'a JPEG XL picture'],
  ['\0\0\0\x0cJXL ', 'a JPEG XL picture'],
  ['\0\0\0\x0cjP  ', 'a JPEG 2000 picture'],
  ['8BPS', 'a Photoshop document'],
  ['%PDF', 'a PDF document'],
  ['PK\x03\x04', 'a ZIP archive or office document'],
  ['\x1f\x8b', 'a gzip archive'],
  ['RIFF', 'a sound or video file'],
]

/** UTF-8 without control characters other than tab, line ends, form feed and escape. */
function isText(head: Uint8Array): boolean {
  try {
    // A stream may end within a character.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    // eslint-disable-next-line no-control-regex
    return !/[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/.test(text)
  } catch {
    return false
  }
}
