import {
  dataStartOf,
  LENGTH_BYTES,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  type TensorEntry,
} from '../checkpoint/safetensors'
import { writeSafetensors, type TensorData } from '../checkpoint/safetensors-writer'
import { CheckpointError } from '../errors'
import { CHECKPOINT_FILE, type RunFiles } from './run-store'

/** Where a run stands, besides its tensors. */
export interface CheckpointState {
  /** Steps done. */
  readonly step: number
  /** Updates of the optimizer; skipped steps are none. */
  readonly updates: number
  /** Steps up to this one without a finite gradient. */
  readonly skippedInARow: number
}

/** Everything a run goes on from, to the same numbers. */
export interface TrainingCheckpoint extends CheckpointState {
  /** By name: master weights and moments, as they were written, each in a buffer of its own. */
  readonly tensors: ReadonlyMap<string, TensorData & { readonly data: Uint8Array<ArrayBuffer> }>
}

const FORMAT = 'trilobite-training'
/** Other fields take another version. */
const VERSION = '2'

const COUNTS = ['step', 'updates', 'skippedInARow'] as const

/** Of reading a file that is being replaced: writing takes longer than reading, so that few are in vain. */
const ATTEMPTS = 5

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
  const metadata: Record<string, string> = { format: FORMAT, version: VERSION }
  for (const name of COUNTS) {
    if (!isCount(state[name])) {
      throw new CheckpointError(
        `checkpoint: expected ${name} to be a whole number, got ${state[name]}; check what is written`,
      )
    }
    metadata[name] = String(state[name])
  }
  await files.write(run, CHECKPOINT_FILE, writeSafetensors(tensors, metadata))
}

/** What a checkpoint's head says; undefined where the run has none. Throws: CheckpointError, which names what is wrong. */
export function readCheckpointState(files: RunFiles, run: string): Promise<CheckpointState | undefined> {
  return unmixed(async () => {
    const header = await readHeader(files, run)
    return header && stateOf(header.metadata)
  })
}

/**
 * A checkpoint, of whose tensors those are read whose names begin with `prefix`, one after another; undefined where the
 * run has none.
 *
 * Throws: CheckpointError, which names what is wrong.
 */
export function readCheckpointFile(
  files: RunFiles,
  run: string,
  prefix = '',
): Promise<TrainingCheckpoint | undefined> {
  return unmixed(async () => {
    const header = await readHeader(files, run)
    if (!header) return undefined
    const state = stateOf(header.metadata)
    const tensors: [string, TensorData & { data: Uint8Array<ArrayBuffer> }][] = []
    for (const entry of header.tensors) {
      if (!entry.name.startsWith(prefix)) continue
      const { name, dtype, shape } = entry
      tensors.push([name, { name, dtype, shape, data: await readTensor(files, run, entry) }])
    }
    const after = await readHeader(files, run)
    if (JSON.stringify(after?.metadata) !== JSON.stringify(header.metadata)) {
      throw new CheckpointError(
        `${CHECKPOINT_FILE}: expected one checkpoint, got parts of several; a trainer writes them meanwhile, pause it first`,
      )
    }
    return { ...state, tensors: new Map(tensors) }
  })
}

/** Reads in several pieces, and once more where they may be of two checkpoints: a trainer may write the next one meanwhile. */
async function unmixed<T>(read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read()
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof CheckpointError)) throw error
    }
  }
}

async function readHeader(files: RunFiles, run: string): Promise<SafetensorsHeader | undefined> {
  const sizeBytes = await files.size(run, CHECKPOINT_FILE)
  if (sizeBytes === undefined) return undefined
  const head = async (end: number) => (await files.read(run, CHECKPOINT_FILE, { end })) ?? new Uint8Array()
  const dataStart = dataStartOf(await head(LENGTH_BYTES), sizeBytes, CHECKPOINT_FILE)
  return parseSafetensorsHeader(await head(dataStart), sizeBytes, CHECKPOINT_FILE)
}

async function readTensor(
  files: RunFiles,
  run: string,
  { name, start, end }: TensorEntry,
): Promise<Uint8Array<ArrayBuffer>> {
  const data = await files.read(run, CHECKPOINT_FILE, { start, end })
  if (data?.byteLength === end - start) return data
  throw new CheckpointError(
    `${CHECKPOINT_FILE}: expected ${end - start} bytes of ${name}, got ${data?.byteLength ?? 'none'}; ` +
      'the file was changed while it was read, try again',
  )
}

function stateOf(metadata: Readonly<Record<string, string>>): CheckpointState {
  const { format, version } = metadata
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
  const told = (name: (typeof COUNTS)[number]) => count(name, metadata[name])
  return { step: told('step'), updates: told('updates'), skippedInARow: told('skippedInARow') }
}

function count(name: string, text: string | undefined): number {
  const value = /^\d+$/.test(text ?? '') ? Number(text) : NaN
  if (isCount(value)) return value
  throw new CheckpointError(
    `${CHECKPOINT_FILE}: expected ${name} to be a whole number in __metadata__, got ` +
      `${JSON.stringify(text)?.slice(0, 60)}; the file was changed or the disk is damaged, start the run again`,
  )
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
