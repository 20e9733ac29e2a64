import type { RgbImage } from './image'
import { expand2square, meanColour } from './pad'
import type { ImageProcessor } from './processor'
import { resize } from './resize'

/** What a vision tower takes. Shapes: pixels [3, height, width]. */
export interface PixelValues {
  readonly pixels: Float32Array
  readonly height: number
  readonly width: number
}

/**
 * Turns a picture into the numbers a vision tower takes: pad, resize, centre crop, rescale, normalise.
 *
 * Each 8-bit value v becomes ((v * rescale_factor) - mean) / std, where the product is computed in double and
 * rounded to single precision, and mean, std, the difference and the quotient are single precision, as numpy has it.
 * Zeros that a crop adds around a small picture count as black pixels.
 *
 * Throws: ImageError when resizing would make a picture of more than 100 megapixels.
 * Source: transformers 5.17, image_processing_backends.py (PilBackend) and image_transforms.py.
 */
export function preprocess(image: RgbImage, processor: ImageProcessor): PixelValues {
  let picture = processor.padToSquare
    ? expand2square(image, meanColour(processor.padMean ?? processor.mean))
    : image
  if (processor.resize) {
    const { width, height } = resizedSize(picture, processor.resize.size)
    picture = resize(picture, width, height, processor.resize.filter, processor.resize.library)
  }
  if (processor.centerCrop) {
    picture = centerCrop(picture, processor.centerCrop.height, processor.centerCrop.width)
  }
  return toPlanes(picture, processor)
}

type Size = Pick<RgbImage, 'width' | 'height'>
type TargetSize = NonNullable<ImageProcessor['resize']>['size']

/** Units: pixels. The longer side is truncated, not rounded. */
export function resizedSize(image: Size, size: TargetSize): Size {
  if ('height' in size) return size
  const short = Math.min(image.width, image.height)
  const long = Math.max(image.width, image.height)
  const newLong = Math.trunc((size.shortestEdge * long) / short)
  return image.width <= image.height
    ? { width: size.shortestEdge, height: newLong }
    : { width: newLong, height: size.shortestEdge }
}

/**
 * Cuts the middle out of a picture, or surrounds it with black where it is too small.
 *
 * Shapes: [h, w, 3] → [height, width, 3]. Cutting rounds the offset down; surrounding rounds it up.
 */
export function centerCrop(image: RgbImage, height: number, width: number): RgbImage {
  // Offsets of the crop in the picture; negative where the picture is smaller. floor() rounds both the right way.
  const top = Math.floor((image.height - height) / 2)
  const left = Math.floor((image.width - width) / 2)
  const data = new Uint8Array(width * height * 3)
  const fromX = Math.max(0, left)
  const columns = Math.min(image.width, left + width) - fromX
  for (let y = Math.max(0, top); y < Math.min(image.height, top + height); y++) {
    const from = (y * image.width + fromX) * 3
    data.set(image.data.subarray(from, from + columns * 3), ((y - top) * width + fromX - left) * 3)
  }
  return { width, height, channels: 3, data }
}

/** Shapes: [h, w, 3] → [3, h, w]. */
function toPlanes(image: RgbImage, processor: ImageProcessor): PixelValues {
  const { width, height, data } = image
  const area = width * height
  const pixels = new Float32Array(3 * area)
  for (let c = 0; c < 3; c++) {
    const table = valueTable(processor, c)
    const plane = pixels.subarray(c * area, (c + 1) * area)
    for (let i = 0, at = c; i < area; i++, at += 3) plane[i] = table[data[at]!]!
  }
  return { pixels, height, width }
}

/** What each of the 256 values of a channel becomes. */
function valueTable(processor: ImageProcessor, channel: number): Float32Array {
  const mean = Math.fround(processor.mean[channel]!)
  const std = Math.fround(processor.std[channel]!)
  return Float32Array.from({ length: 256 }, (_, v) => {
    const scaled = Math.fround(v * (processor.rescaleFactor ?? 1))
    return processor.normalize ? Math.fround(scaled - mean) / std : scaled
  })
}
