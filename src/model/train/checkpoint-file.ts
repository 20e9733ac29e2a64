import { dataStartOf, LENGTH_BYTES, parseSafetensorsHeader } from '../checkpoint/safetensors'
import { writeSafetensors, type TensorData } from '../checkpoint/safetensors-writer'
import { CheckpointError } from '../errors'
import { CHECKPOINT_FILE, type RunFiles } from './run-store'

/** Where a run stands, besides its tensors. */
export interface CheckpointState {
  /** Steps done. */
  readonly step: number
  /** Updates of the optimizer; skipped steps are none. */
  readonly updates: number
  /** Whatever else the trainer goes on from; each finite. */
  readonly numbers: Readonly<Record<string, number>>
}

/** Everything a run goes on from, to the same numbers. */
export interface TrainingCheckpoint extends CheckpointState {
  /** By name: master weights and moments, as they were written. Their bytes begin at multiples of the element's size. */
  readonly tensors: ReadonlyMap<string, TensorData>
}

const FORMAT = 'trilobite-training'
const VERSION = '1'

const HEAD_ATTEMPTS = 5

/**
 * Writes a checkpoint as one safetensors file, as a whole: dying at any moment leaves the one before.
 *
 * Throws: CheckpointError for what cannot be written; TrainingError for lack of room.
 */
export async function writeCheckpointFile(
  files: RunFiles,
  run: string,
  state: CheckpointState,
  tensors: Iterable<TensorData>,
): Promise<void> {
  const { step, updates, numbers } = state
  if (!isCount(step) || !isCount(updates)) {
    throw new CheckpointError(
      `checkpoint: expected whole numbers of steps and updates, got ${step} and ${updates}; check what is written`,
    )
  }
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isFinite(value)) continue
    throw new CheckpointError(
      `checkpoint: expected ${name} to be finite, got ${value}; check what is written`,
    )
  }
  const metadata = {
    format: FORMAT,
    version: VERSION,
    step: String(step),
    updates: String(updates),
    numbers: JSON.stringify(numbers),
  }
  await files.write(run, CHECKPOINT_FILE, writeSafetensors(tensors, metadata))
}

/** What a checkpoint's head says; undefined where the run has none. Throws: CheckpointError, which names what is wrong. */
export async function readCheckpointState(
  files: RunFiles,
  run: string,
): Promise<CheckpointState | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      const sizeBytes = await files.size(run, CHECKPOINT_FILE)
      if (sizeBytes === undefined) return undefined
      const length = (await files.read(run, CHECKPOINT_FILE, LENGTH_BYTES)) ?? new Uint8Array()
      const dataStart = dataStartOf(length, sizeBytes, CHECKPOINT_FILE)
      const head = (await files.read(run, CHECKPOINT_FILE, dataStart)) ?? new Uint8Array()
      return stateOf(parseSafetensorsHeader(head, sizeBytes, CHECKPOINT_FILE).metadata)
    } catch (error) {
      // The three may be of two checkpoints, where a trainer writes the next one meanwhile.
      if (attempt === HEAD_ATTEMPTS) throw error
    }
  }
}

/** The whole checkpoint; undefined where the run has none. Throws: CheckpointError, which names what is wrong. */
export async function readCheckpointFile(
  files: RunFiles,
  run: string,
): Promise<TrainingCheckpoint | undefined> {
  const bytes = await files.read(run, CHECKPOINT_FILE)
  if (!bytes) return undefined
  const header = parseSafetensorsHeader(bytes, bytes.byteLength, CHECKPOINT_FILE)
  const tensors = header.tensors.map(
    ({ name, dtype, shape, start, end }) =>
      [name, { name, dtype, shape, data: bytes.subarray(start, end) }] as const,
  )
  return { ...stateOf(header.metadata), tensors: new Map(tensors) }
}

function stateOf(metadata: Readonly<Record<string, string>>): CheckpointState {
  const { format, version, step, updates, numbers } = metadata
  if (format !== FORMAT) {
    throw new CheckpointError(
      `${CHECKPOINT_FILE}: expected the format ${FORMAT} in __metadata__, got ${JSON.stringify(format)}; ` +
        'this is no checkpoint of a training run',
    )
  }
  if (version !== VERSION) {
    throw new CheckpointError(
      `${CHECKPOINT_FILE}: expected version ${VERSION}, got ${version}; ` +
        'it was written by another version of this program, go on with that one',
    )
  }
  return { step: count('step', step), updates: count('updates', updates), numbers: numbersOf(numbers) }
}

function count(name: string, text: string | undefined): number {
  const value = /^\d+$/.test(text ?? '') ? Number(text) : NaN
  return isCount(value) ? value : fail(`${name} to be a whole number`, text)
}

function numbersOf(text: string | undefined): Record<string, number> {
  let json: unknown
  try {
    json = JSON.parse(text ?? '')
  } catch {
    fail('numbers to be JSON', text)
  }
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json)
  return isObject && Object.values(json as object).every(Number.isFinite)
    ? (json as Record<string, number>)
    : fail('numbers to be an object of numbers', text)
}

function fail(expected: string, came: string | undefined): never {
  throw new CheckpointError(
    `${CHECKPOINT_FILE}: expected ${expected} in __metadata__, got ${JSON.stringify(came)?.slice(0, 60)}; ` +
      'the file was changed or the disk is damaged, start the run again',
  )
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
