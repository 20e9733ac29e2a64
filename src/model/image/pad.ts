import type { RgbImage } from './image'

export type Colour = readonly [red: number, green: number, blue: number]

/**
 * Centres a picture on a square of its longer side.
 *
 * Shapes: [h, w, 3] → [n, n, 3], n = max(h, w); an odd remainder goes to the bottom or the right.
 * Units: background 0 to 255.
 * Source: `expand2square` of LLaVA, and `pad_to_square` of transformers' LlavaImageProcessor.
 */
export function expand2square(image: RgbImage, background: Colour): RgbImage {
  const { width, height } = image
  if (width === height) return image
  const side = Math.max(width, height)
  const left = Math.floor((side - width) / 2)
  const top = Math.floor((side - height) / 2)
  const data = new Uint8Array(side * side * 3)
  for (let at = 0; at < data.length; at += 3) data.set(background, at)
  for (let y = 0; y < height; y++) {
    data.set(image.data.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * side + left) * 3)
  }
  return { width: side, height: side, channels: 3, data }
}

/** The colour that normalises to about zero; truncated, not rounded, as LLaVA and Cambrian do. */
export function meanColour(mean: Colour): Colour {
  return [Math.trunc(mean[0] * 255), Math.trunc(mean[1] * 255), Math.trunc(mean[2] * 255)]
}
