import type { RunInfo, TrainingAction, TrainingEvent } from '../worker/training-api'
import { Ongoing } from './ongoing'

/**
 * A connector while it is trained: iterate it for its steps, validations and captions, or await `result`.
 *
 * Leaving the loop early stops the run behind a checkpoint, from which `Trilobite.resume` goes on.
 */
export class TrainingRun extends Ongoing<TrainingEvent, RunInfo> {
  constructor(
    start: (onEvent: (event: TrainingEvent) => void) => Promise<RunInfo>,
    private readonly control: (action: TrainingAction) => Promise<void>,
  ) {
    super(start)
  }

  /** Writes a checkpoint and ends; `result` resolves with the run as it stands. */
  override stop(): Promise<void> {
    return this.control('stop')
  }

  /** Writes a checkpoint and waits, with the GPU free for questions. `result` resolves with the paused run. */
  pause(): Promise<void> {
    return this.control('pause')
  }
}
