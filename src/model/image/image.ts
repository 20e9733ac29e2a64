import { ImageError } from '../errors'

/**
 * A picture as the models see it: 8 bits a channel, red, green, blue interleaved.
 *
 * Shapes: data [height, width, 3], row-major, no padding between rows.
 */
export interface RgbImage {
  readonly width: number
  readonly height: number
  readonly channels: 3
  readonly data: Uint8Array
}

/** More pixels than this are refused before decoding: 100 megapixels take 400 MB as RGBA. */
export const MAX_PIXELS = 100e6

/**
 * Refuses a picture without area or above the pixel limit.
 *
 * Throws: ImageError.
 */
export function checkPictureSize(op: string, width: number, height: number): void {
  if (width < 1 || height < 1) {
    throw new ImageError(`${op}: expected a picture with an area, got ${width} x ${height}. Save it anew.`)
  }
  if (width * height > MAX_PIXELS) {
    throw new ImageError(
      `${op}: expected at most ${MAX_PIXELS / 1e6} megapixels, got ${width} x ${height} ` +
        `(${Math.round((width * height) / 1e6)} megapixels). Make the picture smaller first.`,
    )
  }
}

/**
 * Drops the alpha channel, in place: the colour under transparent pixels counts, nothing is composited.
 *
 * Shapes: rgba [height, width, 4]; its memory is taken over by the result.
 * Source: the same as PIL's `convert('RGB')` of an RGBA picture.
 */
export function dropAlpha(rgba: Uint8Array, width: number, height: number): RgbImage {
  const pixels = width * height
  for (let from = 0, to = 0; from < pixels * 4; from += 4, to += 3) {
    rgba[to] = rgba[from]!
    rgba[to + 1] = rgba[from + 1]!
    rgba[to + 2] = rgba[from + 2]!
  }
  return { width, height, channels: 3, data: rgba.subarray(0, pixels * 3) }
}
