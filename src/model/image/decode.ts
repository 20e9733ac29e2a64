import { ImageError } from '../errors'
import type { Codecs } from './codecs'
import { readJpegStructure, readPngChunks } from './containers'
import { readImageHeader, truncated, type ImageFormat } from './format'
import { decodeGif } from './gif'
import { checkPictureSize, dropAlpha, type RgbImage } from './image'
import { applyOrientation, readOrientation } from './orientation'
import { firstWebpFrame, isWebpTruncated } from './webp-frame'

/**
 * Decodes a PNG, JPEG, WebP or GIF file to the RGB picture PIL makes of it with `exif_transpose` and
 * `convert('RGB')`: turned upright, alpha dropped without compositing, grey spread to three channels, palettes
 * expanded, first frame of an animation, colour profiles ignored.
 *
 * 16-bit colour keeps the upper byte; 16-bit grey without alpha is clipped at 255, which is what PIL does.
 *
 * Shapes: → data [height, width, 3].
 * Throws: ImageError for other formats, files that are empty, cut short or damaged, and pictures above 100 megapixels.
 */
export async function decodeImage(bytes: Uint8Array, codecs: Codecs): Promise<RgbImage> {
  const { format, width, height } = readImageHeader(bytes)
  // A GIF's frame may enlarge its screen, so it checks for itself.
  if (format !== 'gif') checkPictureSize('decode image', width, height)
  const image = await decodeStored[format](bytes, codecs)
  return applyOrientation(image, readOrientation(bytes, format))
}

const decodeStored: Record<ImageFormat, (bytes: Uint8Array, codecs: Codecs) => Promise<RgbImage>> = {
  async png(bytes, codecs) {
    const [bitDepth, colourType] = [bytes[24], bytes[25]]
    if (!couldFill(bytes)) throw truncated('png', bytes)
    try {
      if (bitDepth === 16 && colourType === 0) return clipGrey(await codecs.decodePng16(bytes))
      const { width, height, data } = await codecs.decodePng(bytes)
      return dropAlpha(data, width, height)
    } catch (error) {
      const isWhole = [...readPngChunks(bytes)].at(-1)?.type === 'IEND'
      throw isWhole ? error : truncated('png', bytes)
    }
  },

  async jpeg(bytes, codecs) {
    const { frame, complete } = readJpegStructure(bytes)
    // The codec would fill up what is missing with grey; PIL refuses, and so do we.
    if (!complete) throw truncated('jpeg', bytes)
    // Every block of 8 x 8 takes a bit at least.
    if (frame && frame.width * frame.height > bytes.length * 512) throw truncated('jpeg', bytes)
    if (frame?.components === 4) {
      throw new ImageError(
        'decode image: expected a JPEG in colour or grey, got one in CMYK (made for printing). ' +
          'Convert it to RGB in an image editor.',
      )
    }
    const { width, height, data } = await codecs.decodeJpeg(bytes)
    return dropAlpha(data, width, height)
  },

  async webp(bytes, codecs) {
    if (isWebpTruncated(bytes)) throw truncated('webp', bytes)
    const frame = firstWebpFrame(bytes)
    const { width, height, data } = await codecs.decodeWebp(frame ? frame.file : bytes)
    const image = dropAlpha(data, width, height)
    if (!frame) return image
    const canvas = readImageHeader(bytes)
    return placeOnBlack(image, frame.left, frame.top, canvas.width, canvas.height)
  },

  gif: async (bytes) => decodeGif(bytes),
}

/** Bits a pixel takes by colour type, in times of the bit depth: grey, RGB, palette, grey and alpha, RGBA. */
const PNG_CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }
/** A deflated byte becomes 1032 at most. */
const MOST_INFLATED = 1032

/** False for a PNG file with fewer bytes than its size in pixels could be made of: nothing is allocated for it. */
function couldFill(bytes: Uint8Array): boolean {
  const { width, height } = readImageHeader(bytes)
  const bits = width * bytes[24]! * (PNG_CHANNELS[bytes[25]!] ?? 1)
  return height * (1 + Math.ceil(bits / 8)) <= bytes.length * MOST_INFLATED
}

function clipGrey(rgba: { width: number; height: number; data: Uint16Array }): RgbImage {
  const { width, height } = rgba
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < width * height; i++) data.fill(Math.min(255, rgba.data[i * 4]!), i * 3, i * 3 + 3)
  return { width, height, channels: 3, data }
}

function placeOnBlack(image: RgbImage, left: number, top: number, width: number, height: number): RgbImage {
  if (image.width === width && image.height === height) return image
  const data = new Uint8Array(width * height * 3)
  const columns = Math.min(image.width, width - left)
  const rows = Math.min(image.height, height - top)
  for (let y = 0; y < rows; y++) {
    const from = y * image.width * 3
    data.set(image.data.subarray(from, from + Math.max(0, columns) * 3), ((top + y) * width + left) * 3)
  }
  return { width, height, channels: 3, data }
}
