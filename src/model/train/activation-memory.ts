import type { ChatModel } from '../chat-model'
import { featureBytes } from './features'

/** Tokens of a caption with what stands around it, where nothing was measured. */
const TYPICAL_TEXT = 40

/** Layer inputs of a micro-batch, and what one layer needs to be computed again. Units: bytes. */
export function activationEstimate(model: ChatModel, batchSize: number): number {
  const { language, vision } = model.opened.blueprint
  const { hiddenSize: C, layers } = language.config
  const positions = batchSize * ((vision?.imageTokens ?? 0) + TYPICAL_TEXT)
  const widest = Math.max(
    C,
    ...Object.entries(model.opened.specs)
      .filter(([name, { kind }]) => kind === 'matrix' && name.startsWith('language.'))
      .map(([, { shape }]) => shape[0]!),
  )
  return (
    positions * (layers * C + 14 * C + 6 * widest) * 4 + batchSize * featureBytes(vision?.towers ?? []) * 2
  )
}

/**
 * Bytes that may go to activations which the backward pass would otherwise compute again: half of what the device is taken
 * to have beyond what it holds now and a step needs.
 */
export function spareBytes(model: ChatModel, batchSize: number): number {
  const { plan, vlm } = model
  const spare = plan.budgetBytes - vlm.gpu.allocatedBytes - activationEstimate(model, batchSize)
  return Math.max(0, spare / 2)
}
