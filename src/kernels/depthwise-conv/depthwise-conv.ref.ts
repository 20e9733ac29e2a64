/** Oracle in float64: every output reads the K x K inputs around it; those outside the map are zero. */
export function depthwiseConvRef(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  { batch, height, width, kernel: K }: { batch: number; height: number; width: number; kernel: number },
): Float64Array {
  const C = weight.length / (K * K)
  const pad = (K - 1) / 2
  const y = new Float64Array(x.length)
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        for (let c = 0; c < C; c++) {
          let sum = bias?.[c] ?? 0
          for (let u = 0; u < K; u++) {
            for (let v = 0; v < K; v++) {
              const [yy, xx] = [i + u - pad, j + v - pad]
              if (yy < 0 || yy >= height || xx < 0 || xx >= width) continue
              sum += x[((b * height + yy) * width + xx) * C + c]! * weight[(c * K + u) * K + v]!
            }
          }
          y[((b * height + i) * width + j) * C + c] = sum
        }
      }
    }
  }
  return y
}
