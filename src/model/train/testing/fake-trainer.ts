import type { ChatModel } from '../../chat-model'
import { AbortError } from '../../errors'
import type { CaptionRecord, EvaluationRecord, StepRecord } from '../definition'
import type { Trainer, TrainerOptions, TrainerState } from '../trainer'
import { evaluationRecord, stepRecord } from './runs'

type Faked = Pick<
  Trainer,
  'step' | 'steps' | 'specs' | 'next' | 'evaluate' | 'caption' | 'state' | 'values' | 'destroy'
>

/** Stands for the trainer where there is no GPU: what it learns follows from what it knew and the rows it is shown. */
export class FakeTrainer implements Faked {
  readonly specs = { w: { shape: [2], kind: 'vector' as const } }

  private constructor(
    private readonly options: TrainerOptions,
    private now: TrainerState,
  ) {}

  static async create(
    _model: ChatModel,
    options: TrainerOptions,
    state?: TrainerState,
  ): Promise<FakeTrainer> {
    const zeros = () => new Map([['w', new Float32Array(2)]])
    return new FakeTrainer(
      options,
      state ?? { step: 0, updates: 0, skippedInARow: 0, weights: zeros(), m: zeros(), v: zeros() },
    )
  }

  get step(): number {
    return this.now.step
  }

  get steps(): number {
    return this.options.steps
  }

  async next(signal: AbortSignal): Promise<StepRecord> {
    if (signal.aborted) throw new AbortError('train: stopped by the reader.')
    const { step, updates, skippedInARow, weights, m, v } = this.now
    const rows = this.options.order.microBatches(step).flat()
    const learned = (values: TrainerState['weights'], by: number) =>
      new Map([['w', values.get('w')!.map((value, i) => value / 3 + by * rows[i % rows.length]! + i)]])
    this.now = {
      step: step + 1,
      updates: updates + 1,
      skippedInARow: (skippedInARow * 3 + 1) % 7,
      weights: learned(weights, 1),
      m: learned(m, 2),
      v: learned(v, 3),
    }
    const loss = this.now.weights.get('w')![0]! + this.now.skippedInARow
    const { type: _type, ...record } = stepRecord(step + 1)
    return { ...record, loss, gradNorm: this.now.v.get('w')![1]! }
  }

  async evaluate(): Promise<EvaluationRecord> {
    const { type: _type, ...record } = evaluationRecord(this.step)
    return record
  }

  async caption(
    count: number,
    _signal: AbortSignal,
    onCaption: (record: CaptionRecord) => void,
  ): Promise<void> {
    for (const row of this.options.heldOut.rows.slice(0, count))
      onCaption({ step: this.step, row, image: 'a.png', truth: 'A picture.', caption: 'Something.' })
  }

  async state(): Promise<TrainerState> {
    return this.now
  }

  async values(): Promise<TrainerState['weights']> {
    return this.now.weights
  }

  destroy(): void {}
}
