import type { AdamwOptions } from './adamw'

/** One parameter's numbers, changed in place by `adamwRef`. */
export interface AdamwState {
  readonly weight: Float64Array
  readonly m: Float64Array
  readonly v: Float64Array
}

/** Oracle in float64: one step with gradients scaled by `scale`, in the order of torch.optim.AdamW's definition. */
export function adamwRef(
  { weight, m, v }: AdamwState,
  gradient: ArrayLike<number>,
  { learningRate, beta1, beta2, epsilon, weightDecay, step }: AdamwOptions,
  scale = 1,
): void {
  for (let i = 0; i < weight.length; i++) {
    const g = gradient[i]! * scale
    weight[i]! *= 1 - learningRate * weightDecay
    m[i] = beta1 * m[i]! + (1 - beta1) * g
    v[i] = beta2 * v[i]! + (1 - beta2) * g * g
    const mean = m[i]! / (1 - beta1 ** step)
    const spread = Math.sqrt(v[i]! / (1 - beta2 ** step))
    weight[i]! -= (learningRate * mean) / (spread + epsilon)
  }
}
