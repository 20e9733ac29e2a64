import { latin1, startsWith, viewOf } from './bytes'
import { readJpegStructure, readPngChunks, readWebpChunks } from './containers'
import type { ImageFormat } from './format'
import type { RgbImage } from './image'

/** EXIF orientation: 1 is upright; the others say how the stored rows and columns map to what was seen. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8

const ORIENTATION_TAG = 0x0112

/**
 * The orientation a file asks for: from EXIF, else from XMP, else 1.
 *
 * Source: the rule of PIL's `Image.getexif` and `ImageOps.exif_transpose`, which transformers applies on loading.
 * GIF files carry none.
 */
export function readOrientation(bytes: Uint8Array, format: ImageFormat): Orientation {
  const { exif, xmp } = readMetadata[format](bytes)
  const value = (exif && orientationOfExif(exif)) ?? (xmp && orientationOfXmp(xmp)) ?? 1
  return value >= 1 && value <= 8 ? (value as Orientation) : 1
}

interface Metadata {
  /** A TIFF structure, with or without the `Exif\0\0` before it. */
  exif?: Uint8Array
  xmp?: Uint8Array
}

const JPEG_XMP = 'http://ns.adobe.com/xap/1.0/\0'
const PNG_XMP = 'XML:com.adobe.xmp\0'

const readMetadata: Record<ImageFormat, (bytes: Uint8Array) => Metadata> = {
  jpeg(bytes) {
    const found: Metadata = {}
    for (const { marker, data } of readJpegStructure(bytes).segments) {
      if (marker !== 0xe1) continue
      if (startsWith(data, 'Exif\0')) found.exif ??= data
      else if (startsWith(data, JPEG_XMP)) found.xmp ??= data.subarray(JPEG_XMP.length)
    }
    return found
  },

  png(bytes) {
    const found: Metadata = {}
    for (const { type, data } of readPngChunks(bytes)) {
      if (type === 'eXIf') found.exif ??= data
      else if (type === 'iTXt' && startsWith(data, PNG_XMP)) found.xmp ??= data
    }
    return found
  },

  webp(bytes) {
    const found: Metadata = {}
    for (const { type, data } of readWebpChunks(bytes)) {
      if (type === 'EXIF') found.exif ??= data
      else if (type === 'XMP ') found.xmp ??= data
    }
    return found
  },

  gif: () => ({}),
}

/** The orientation entry of a TIFF structure's first directory, if it has one. */
function orientationOfExif(data: Uint8Array): number | undefined {
  const tiff = startsWith(data, 'Exif\0') ? data.subarray(6) : data
  if (tiff.length < 8) return undefined
  const byteOrder = latin1(tiff.subarray(0, 2))
  if (byteOrder !== 'II' && byteOrder !== 'MM') return undefined
  const little = byteOrder === 'II'
  const view = viewOf(tiff)
  const directory = view.getUint32(4, little)
  if (directory + 2 > tiff.length) return undefined
  const count = view.getUint16(directory, little)
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + i * 12
    if (entry + 12 > tiff.length) return undefined
    if (view.getUint16(entry, little) !== ORIENTATION_TAG) continue
    const type = view.getUint16(entry + 2, little)
    if (type === 1) return view.getUint8(entry + 8)
    return type === 4 ? view.getUint32(entry + 8, little) : view.getUint16(entry + 8, little)
  }
  return undefined
}

function orientationOfXmp(data: Uint8Array): number | undefined {
  const match = /tiff:Orientation(?:="|>)([0-9])/.exec(new TextDecoder('latin1').decode(data))
  return match ? Number(match[1]) : undefined
}

/** Turns or mirrors a picture so that it stands as it was seen. */
export function applyOrientation(image: RgbImage, orientation: Orientation): RgbImage {
  if (orientation === 1) return image
  const { width: W, height: H, data } = image
  // Where the upright picture's pixel (x, y) lies in the stored one: start + x * stepX + y * stepY, in pixels.
  const last = W * H - 1
  const [start, stepX, stepY] = {
    2: [W - 1, -1, W],
    3: [last, -1, -W],
    4: [last - (W - 1), 1, -W],
    5: [0, W, 1],
    6: [last - (W - 1), -W, 1],
    7: [last, -W, -1],
    8: [W - 1, W, -1],
  }[orientation] as [number, number, number]
  const isTurned = orientation >= 5
  const width = isTurned ? H : W
  const height = isTurned ? W : H
  const out = new Uint8Array(data.length)
  let to = 0
  for (let y = 0; y < height; y++) {
    let from = (start + y * stepY) * 3
    for (let x = 0; x < width; x++, from += stepX * 3, to += 3) {
      out[to] = data[from]!
      out[to + 1] = data[from + 1]!
      out[to + 2] = data[from + 2]!
    }
  }
  return { width, height, channels: 3, data: out }
}
