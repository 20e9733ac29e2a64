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
