import type { TensorData } from '../../checkpoint/safetensors-writer'
import type { EvaluationRecord, RunInfo, StepRecord } from '../definition'
import { recipes } from '../recipes'
import { chunksOf, type FileRange, type RunFiles } from '../run-store'

/** A run as the trainer would write it down. */
export const someRun: Omit<RunInfo, 'id'> = {
  name: 'Äpfel "and" pears',
  model: 'trilobite-nano-llava',
  createdAt: 1_790_000_000_000,
  recipe: recipes['llava-1.5'].recipe,
  dataset: { name: 'pairs', fingerprint: 'abc', rows: 10, skipped: 1, heldOut: [3, 7] },
  state: 'running',
  step: 0,
  steps: 6,
  checkpointStep: 0,
}

export const stepRecord = (step: number): { type: 'step' } & StepRecord => ({
  type: 'step',
  step,
  loss: 5 / step,
  microLosses: [4 / step, 6 / step],
  lr: 1e-3 / 3,
  gradNorm: 1.5,
  tokens: 400,
  learnedTokens: 40,
  samples: 8,
  ms: 12.5,
})

export const evaluationRecord = (step: number): { type: 'evaluation' } & EvaluationRecord => ({
  type: 'evaluation',
  step,
  loss: 4.5 / (step + 1),
  samples: 2,
})

export function f32(name: string, ...values: number[]): TensorData {
  return {
    name,
    dtype: 'F32',
    shape: [values.length],
    data: new Uint8Array(Float32Array.from(values).buffer),
  }
}

/** The machine died. */
export class Died extends Error {}

/** Files of a machine that dies at the n-th moment of writing; what came before stays, a text perhaps in part. */
export class DyingRuns implements RunFiles {
  moments = 0

  constructor(
    private readonly files: RunFiles,
    private readonly last: number,
  ) {}

  runs = () => this.alive(() => this.files.runs())
  read = (run: string, name: string, range?: FileRange) => this.alive(() => this.files.read(run, name, range))
  size = (run: string, name: string) => this.alive(() => this.files.size(run, name))

  write(run: string, name: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<void> {
    return this.change(() => this.files.write(run, name, chunksOf(bytes)))
  }

  async append(run: string, name: string, text: string): Promise<void> {
    const half = Math.ceil(text.length / 2)
    await this.change(() => this.files.append(run, name, text.slice(0, half)))
    await this.change(() => this.files.append(run, name, text.slice(half)))
  }

  truncate(run: string, name: string, sizeBytes: number): Promise<void> {
    return this.change(() => this.files.truncate(run, name, sizeBytes))
  }

  remove(run: string): Promise<void> {
    return this.change(() => this.files.remove(run))
  }

  private async change(act: () => Promise<void>): Promise<void> {
    this.moment()
    await act()
    this.moment()
  }

  private async alive<T>(act: () => Promise<T>): Promise<T> {
    if (this.moments > this.last) throw new Died()
    return act()
  }

  private moment(): void {
    this.moments++
    if (this.moments > this.last) throw new Died()
  }
}
