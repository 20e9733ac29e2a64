import { adamwStep, gradientNorm, type Encoder, type Tensor } from '../../kernels'
import type { ParameterSpec } from '../parameters'
import type { Recipe } from './definition'
import type { Rates } from './schedule'
import type { TrainedConnector } from './trained-connector'

/** The group with a rate of its own. Source: Cambrian-1's trainer, mm_vision_sampler_lr. */
export const isSamplerParameter = (name: string) =>
  name.includes('vision_sampler') || name.includes('vision_query')

/** Biases and the gains of norms do not decay. Source: transformers Trainer.get_decay_parameter_names. */
const decays = (name: string, spec: ParameterSpec) =>
  spec.kind !== 'vector' || /(^|\.)(vision_query|image_newline|pos_embed[^.]*)$/.test(name)

/**
 * Clips all gradients to a norm together and updates every parameter with AdamW; changes nothing where any gradient is
 * not finite.
 *
 * Shapes: -> f32 [4], a temporary: norm before clipping, factor, 1 where all was finite, 0.
 */
export function optimizerStep(
  enc: Encoder,
  trained: TrainedConnector,
  recipe: Recipe,
  options: { readonly rates: Rates; /** Updates so far and this one. */ readonly update: number },
): Tensor {
  const { rates, update } = options
  const clip = gradientNorm(
    enc,
    [...trained.gradients.entries()].map(([, gradient]) => gradient),
    recipe.maxGradNorm,
  )
  const { beta1, beta2, epsilon } = recipe
  for (const [name, spec] of Object.entries(trained.specs)) {
    const learningRate = isSamplerParameter(name) ? (rates.samplerLr ?? rates.lr) : rates.lr
    const weightDecay = decays(name, spec) ? recipe.weightDecay : 0
    const { parts, cols, stride } = trained.parameter(name)
    const { m, v } = trained.moments.get(name)!
    let row = 0
    for (const { tensor, rows } of parts) {
      const at = rowsFrom(row, rows, cols)
      row += rows
      adamwStep(
        enc,
        {
          weight: { ...tensor, shape: [rows, stride] },
          gradient: at(trained.gradient(name)),
          m: at(m),
          v: at(v),
          clip,
        },
        { learningRate, beta1, beta2, epsilon, weightDecay, step: update },
      )
    }
  }
  return clip
}

/** Rows of a tensor [.., cols] without copying them; parts of weights begin where bindings may. */
const rowsFrom =
  (start: number, rows: number, cols: number) =>
  (x: Tensor): Tensor => ({ ...x, shape: [rows, cols], offset: x.offset + start * cols * 4 })
