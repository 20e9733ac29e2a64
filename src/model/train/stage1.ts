import { createTensor, Encoder, type Tensor } from '../../kernels'
import { TrainingError } from '../errors'
import type { Vlm } from '../vlm'
import type { Recipe } from './definition'
import { optimizerStep } from './optimizer'
import type { Rates } from './schedule'
import type { TrainedConnector } from './trained-connector'
import { TrainingPass, type MicroBatchResult, type TrainingSample } from './training-pass'

/** Steps in a row without a finite gradient after which a run ends. */
const MOST_SKIPPED = 5

/** What a step's arithmetic gave. */
export interface StepNumbers {
  readonly loss: number
  readonly microLosses: readonly number[]
  readonly gradNorm: number
  readonly tokens: number
  readonly learnedTokens: number
  readonly isSkipped: boolean
}

/** Optimizer steps of stage 1 on samples at hand: losses, gradients, clipping, AdamW. */
export class Stage1 {
  /** Updates made so far; skipped steps are none. */
  updates = 0
  /** Steps up to the last one without a finite gradient. */
  skippedInARow = 0
  private readonly pass: TrainingPass

  /** Throws: as TrainingPass. */
  constructor(
    private readonly vlm: Vlm,
    readonly trained: TrainedConnector,
    private readonly recipe: Recipe,
    keepBytes = 0,
  ) {
    this.pass = new TrainingPass(vlm, trained, keepBytes)
  }

  /**
   * One step over its micro-batches, whose mean losses count alike.
   *
   * Throws: TrainingError where the numbers have not been finite for several steps in a row; as TrainingPass.microBatch.
   */
  async step(microBatches: readonly (readonly TrainingSample[])[], rates: Rates): Promise<StepNumbers> {
    const { vlm, trained, recipe } = this
    const results = microBatches.map((samples) =>
      this.pass.microBatch(samples, { weight: 1 / microBatches.length, learn: true }),
    )
    const enc = new Encoder(vlm.gpu, vlm.arena, 'optimizer step')
    try {
      const clip = optimizerStep(enc, trained, recipe, { rates, update: this.updates + 1 })
      trained.gradients.zero(enc)
      const [state, ...losses] = await this.read(enc, [clip, ...results.map((result) => result.losses)])
      const [gradNorm, , isFinite] = state!
      const microLosses = losses.map(mean)
      const loss = mean(microLosses)
      const isSkipped = isFinite !== 1 || !Number.isFinite(loss)
      if (isFinite === 1) this.updates++
      this.skippedInARow = isSkipped ? this.skippedInARow + 1 : 0
      if (this.skippedInARow >= MOST_SKIPPED) {
        throw new TrainingError(
          `train: loss or gradient was not finite in ${MOST_SKIPPED} steps in a row. ` +
            'Start a new run with a lower learning rate, a longer warm-up, or the model in f32; it may begin with the connector ' +
            "of this run's last checkpoint.",
        )
      }
      const total = (of: 'tokens' | 'learnedTokens') => results.reduce((sum, result) => sum + result[of], 0)
      return {
        loss,
        microLosses,
        gradNorm: gradNorm!,
        tokens: total('tokens'),
        learnedTokens: total('learnedTokens'),
        isSkipped,
      }
    } finally {
      enc.end()
      for (const { losses } of results) vlm.gpu.destroyBuffer(losses.buffer)
      // Captions differ in length, and so do the sizes that steps ask for.
      vlm.arena.trimLeftovers()
    }
  }

  /** Mean losses over each sample's learned tokens, one at a time; nothing is changed. */
  async losses(samples: readonly TrainingSample[]): Promise<number[]> {
    const means: number[] = []
    for (const sample of samples) means.push(await this.loss([sample]))
    return means
  }

  /** Mean loss over all learned tokens of samples that go through the model together; nothing is changed. */
  async loss(samples: readonly TrainingSample[]): Promise<number> {
    return this.lossOf(this.pass.microBatch(samples, { weight: 0, learn: false }))
  }

  /** Leaves a micro-batch's gradients, and no others, in the trained connector's sums; tells its mean loss. */
  async gradients(samples: readonly TrainingSample[]): Promise<number> {
    const { vlm, trained } = this
    const enc = new Encoder(vlm.gpu, vlm.arena, 'gradients')
    trained.gradients.zero(enc)
    enc.end()
    return this.lossOf(this.pass.microBatch(samples, { weight: 1, learn: true }))
  }

  private async lossOf({ losses }: MicroBatchResult): Promise<number> {
    const enc = new Encoder(this.vlm.gpu, this.vlm.arena, 'losses')
    try {
      return mean(await enc.read(losses))
    } finally {
      enc.end()
      this.vlm.gpu.destroyBuffer(losses.buffer)
    }
  }

  /** Several tensors in one round trip. */
  private async read(enc: Encoder, tensors: readonly Tensor[]): Promise<Float32Array[]> {
    const counts = tensors.map(({ shape }) => shape[0]!)
    const all = createTensor(this.vlm.gpu, 'step readback', [counts.reduce((a, b) => a + b, 0)])
    try {
      let at = 0
      for (const [i, tensor] of tensors.entries()) {
        enc.copy(tensor, all, { toOffset: at * 4 })
        at += counts[i]!
      }
      const values = await enc.read(all)
      at = 0
      return counts.map((count) => values.slice(at, (at += count)))
    } finally {
      this.vlm.gpu.destroyBuffer(all.buffer)
    }
  }
}

function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return sum / values.length
}
