/** Oracle: patches of pixels [B, channels, H, W], each row in the order c, y, x. */
export function patchifyRef(
  pixels: ArrayLike<number>,
  [B, channels, H, W]: readonly [number, number, number, number],
  P: number,
): Float64Array {
  const patches: number[] = []
  for (let b = 0; b < B; b++) {
    for (let top = 0; top + P <= H; top += P) {
      for (let left = 0; left + P <= W; left += P) {
        for (let c = 0; c < channels; c++) {
          for (let y = top; y < top + P; y++) {
            for (let x = left; x < left + P; x++) patches.push(pixels[((b * channels + c) * H + y) * W + x]!)
          }
        }
      }
    }
  }
  return Float64Array.from(patches)
}

/** Oracle: blocks of channel-last maps [batch*height*width, C], each row in the order c, y, x. */
export function spaceToDepthRef(
  x: ArrayLike<number>,
  { batch, height, width, block }: { batch: number; height: number; width: number; block: number },
): Float64Array {
  const C = x.length / (batch * height * width)
  const y: number[] = []
  for (let b = 0; b < batch; b++) {
    for (let top = 0; top + block <= height; top += block) {
      for (let left = 0; left + block <= width; left += block) {
        for (let c = 0; c < C; c++) {
          for (let i = top; i < top + block; i++) {
            for (let j = left; j < left + block; j++) y.push(x[((b * height + i) * width + j) * C + c]!)
          }
        }
      }
    }
  }
  return Float64Array.from(y)
}

/** Oracle: per picture, the class token and the patches, plus the positions. */
export function embedPatchesRef(
  patches: ArrayLike<number>,
  position: ArrayLike<number>,
  C: number,
  cls?: ArrayLike<number>,
): Float64Array {
  const S = position.length / C
  const n = cls ? S - 1 : S
  const B = patches.length / C / n
  const y: number[] = []
  for (let b = 0; b < B; b++) {
    const picture = Array.from(patches).slice(b * n * C, (b + 1) * n * C)
    const rows = [...(cls ? Array.from(cls) : []), ...picture]
    for (let i = 0; i < rows.length; i++) y.push(rows[i]! + position[i]!)
  }
  return Float64Array.from(y)
}
