/** Oracle in float64: norm over all entries and the factor torch.nn.utils.clip_grad_norm_ scales them by. */
export function gradientNormRef(
  gradients: readonly ArrayLike<number>[],
  maxNorm: number,
): { norm: number; scale: number; isFinite: boolean } {
  let squares = 0
  for (const gradient of gradients) {
    for (let i = 0; i < gradient.length; i++) squares += gradient[i]! ** 2
  }
  const norm = Math.sqrt(squares)
  if (!Number.isFinite(norm)) return { norm: NaN, scale: 0, isFinite: false }
  return { norm, scale: maxNorm === 0 ? 1 : Math.min(1, maxNorm / (norm + 1e-6)), isFinite: true }
}
