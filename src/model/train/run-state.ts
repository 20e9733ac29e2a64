import type { TensorData } from '../checkpoint/safetensors-writer'
import { CheckpointError, TrainingError } from '../errors'
import {
  readCheckpointFile,
  readCheckpointState,
  writeCheckpointFile,
  type CheckpointState,
  type TrainingCheckpoint,
} from './checkpoint-file'
import type { LogRecord, RunInfo } from './definition'
import { appendLog, truncateLog } from './log'
import { damagedRun, parseRunInfo, runInfoText } from './run-info'
import { checkFileName, CHECKPOINT_FILE, INFO_FILE, type RunFiles } from './run-store'

/** What of a run may change. */
export type RunChanges = Partial<Omit<RunInfo, 'id' | 'createdAt'>>

/** All that is kept of training runs. */
export class Runs {
  /** The last change of each run's file: the next one waits for it. */
  private readonly changing = new Map<string, Promise<unknown>>()

  constructor(readonly files: RunFiles) {}

  /**
   * Writes a new run down. Its first checkpoint should follow before the first step: without one there is nothing to go
   * on from.
   *
   * Throws: TrainingError where there is a run of that id.
   */
  async create(info: Omit<RunInfo, 'id'>, id: string = crypto.randomUUID()): Promise<RunInfo> {
    if ((await this.files.size(checkFileName(id), INFO_FILE)) !== undefined) {
      throw new TrainingError(
        `run: expected no run yet, got one; go on with it, or train into another folder`,
      )
    }
    // A log or a checkpoint without its run, which dying in the middle of `remove` can leave.
    await this.files.remove(id)
    const run = { ...info, id }
    await this.write(run)
    return run
  }

  /**
   * All runs, newest first. One that cannot be read or gone on with is listed as failed, with the reason.
   *
   * `live` are those that train now: others that say so lost their tab or process, and are listed as paused.
   */
  async list(live: ReadonlySet<string> = new Set()): Promise<RunInfo[]> {
    const runs = await Promise.all((await this.files.runs()).map((run) => this.describe(run, live.has(run))))
    return runs.sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
  }

  /** One run, as it is listed. Throws: TrainingError where there is none of that id. */
  async get(run: string, live: ReadonlySet<string> = new Set()): Promise<RunInfo> {
    if (!(await this.files.runs()).includes(run)) throw unknownRun(run)
    return this.describe(run, live.has(run))
  }

  /**
   * Changes some of what is written down of a run, after changes that were asked for earlier.
   *
   * Throws: TrainingError where there is no such run; CheckpointError where its file is damaged.
   */
  update(run: string, changes: RunChanges): Promise<RunInfo> {
    const before = this.changing.get(run) ?? Promise.resolve()
    const change = before.then(async () => {
      const changed = { ...(await this.stored(run)), ...changes, id: run }
      await this.write(changed)
      return changed
    })
    const settled = change.catch(() => {})
    this.changing.set(run, settled)
    void settled.then(() => {
      if (this.changing.get(run) === settled) this.changing.delete(run)
    })
    return change
  }

  /** Throws: as `update`. */
  rename(run: string, name: string): Promise<RunInfo> {
    return this.update(run, { name })
  }

  /** Forgets a run with everything in it. */
  async remove(run: string): Promise<void> {
    await this.changing.get(run)
    await this.files.remove(run)
  }

  /**
   * Writes down how far a run is: what happened since its last checkpoint, then the checkpoint it goes on from, in place
   * of that one, then what is listed. Dying between them leaves a log that goes further than the checkpoint, never less far.
   *
   * `unwritten` is emptied as soon as the log holds it: where there is no room for the checkpoint, it is not logged twice.
   * Throws: TrainingError where there is no such run, or no room; CheckpointError for what cannot be written.
   */
  async writeCheckpoint(
    run: string,
    checkpoint: CheckpointState & { readonly tensors: Iterable<TensorData> },
    { unwritten = [], changes = {} }: { unwritten?: LogRecord[]; changes?: RunChanges } = {},
  ): Promise<RunInfo> {
    // A run that was deleted meanwhile stays deleted: writing would make its folder anew.
    if ((await this.files.size(run, INFO_FILE)) === undefined) throw unknownRun(run)
    const { length } = unwritten
    if (length > 0) await appendLog(this.files, run, ...unwritten)
    unwritten.splice(0, length)
    const { tensors, ...state } = checkpoint
    await writeCheckpointFile(this.files, run, state, tensors)
    const { step } = state
    return this.update(run, { ...changes, step, checkpointStep: step })
  }

  /**
   * A run's last checkpoint with those of its tensors whose names begin with `prefix`.
   *
   * Throws: CheckpointError where it is missing or damaged.
   */
  async readCheckpoint(run: string, prefix?: string): Promise<TrainingCheckpoint> {
    const checkpoint = await readCheckpointFile(this.files, run, prefix)
    if (checkpoint) return checkpoint
    throw new CheckpointError(`run: expected ${CHECKPOINT_FILE}, found none; ${NO_CHECKPOINT}`)
  }

  /**
   * Makes a run ready to go on from its last checkpoint: what was written down behind it is dropped, and the run says
   * that it is running. Before the first step nothing stays: a run begins by validating.
   *
   * Throws: TrainingError where there is no such run; CheckpointError where it is damaged.
   */
  async resume(run: string): Promise<{ run: RunInfo; checkpoint: TrainingCheckpoint }> {
    await this.stored(run)
    const checkpoint = await this.readCheckpoint(run)
    const { step } = checkpoint
    const records = await truncateLog(this.files, run, step === 0 ? -1 : step)
    const lastLoss = (type: 'step' | 'evaluation') => {
      const record = records.findLast((record) => record.type === type)
      return record && 'loss' in record ? record.loss : undefined
    }
    const info = await this.update(run, {
      state: 'running',
      step,
      checkpointStep: step,
      loss: lastLoss('step'),
      evaluationLoss: lastLoss('evaluation'),
      problem: undefined,
    })
    return { run: info, checkpoint }
  }

  private async stored(run: string): Promise<RunInfo> {
    const bytes = await this.files.read(run, INFO_FILE)
    if (!bytes) throw unknownRun(run)
    return parseRunInfo(new TextDecoder().decode(bytes), run)
  }

  private write(info: RunInfo): Promise<void> {
    return this.files.write(info.id, INFO_FILE, new TextEncoder().encode(runInfoText(info)))
  }

  private async describe(run: string, isLive: boolean): Promise<RunInfo> {
    let info: RunInfo
    try {
      info = await this.stored(run)
    } catch (error) {
      const problem =
        error instanceof TrainingError ? `${INFO_FILE} is missing; delete the run` : messageOf(error)
      return damagedRun(run, problem)
    }
    if (isLive) return info
    let state: CheckpointState | undefined
    try {
      state = await readCheckpointState(this.files, run)
    } catch (error) {
      return { ...info, state: 'failed', problem: messageOf(error) }
    }
    if (!state) {
      const problem = info.problem ?? `It has no checkpoint: ${NO_CHECKPOINT}.`
      return { ...info, state: 'failed', checkpointStep: 0, problem }
    }
    return {
      ...info,
      state: info.state === 'running' ? 'paused' : info.state,
      // Dying between the two files leaves the checkpoint ahead of what is written down.
      step: Math.max(info.step, state.step),
      checkpointStep: state.step,
    }
  }
}

const NO_CHECKPOINT = 'it ended before the first one was written, start it again'

function unknownRun(run: string): TrainingError {
  return new TrainingError(
    `run: expected a run that is kept here, got ${JSON.stringify(run)}; was it deleted?`,
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
