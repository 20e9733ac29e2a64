import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatasetError } from '../model/errors'
import type { Dataset, Sample } from '../model/train/definition'
import { openDiskDataset } from './disk-dataset'
import type { TrainArgs } from './train-args'

type Scan = Awaited<ReturnType<Dataset['scan']>>
type ScanOptions = NonNullable<Parameters<Dataset['scan']>[0]>

/** A dataset that is looked through once, however often that is asked for, with what validates chosen by hand. */
export class ChosenData implements Dataset {
  readonly heldOut: Dataset | undefined
  private scanning: Promise<Scan> | undefined

  constructor(
    private readonly rows: Dataset,
    heldOut: Dataset | undefined,
  ) {
    this.heldOut = heldOut && (heldOut instanceof ChosenData ? heldOut : new ChosenData(heldOut, undefined))
  }

  get name(): string {
    return this.rows.name
  }

  get length(): number {
    return this.rows.length
  }

  get fingerprint(): string {
    return this.rows.fingerprint
  }

  sample(row: number): Promise<Sample> {
    return this.rows.sample(row)
  }

  image(path: string): Promise<Uint8Array> {
    return this.rows.image(path)
  }

  scan(options: ScanOptions = {}): Promise<Scan> {
    const scanning = (this.scanning ??= this.rows.scan(options))
    scanning.catch(() => {
      this.scanning = undefined
    })
    return scanning
  }

  async close(): Promise<void> {
    await this.heldOut?.close?.()
    await this.rows.close?.()
  }
}

export interface TrainingData {
  readonly dataset: ChosenData
  /** What was decided for the user, in words. */
  readonly notes: readonly string[]
}

/**
 * Opens what `--data`, `--images` and `--eval-data` name. A file of held-out rows that lies beside the data validates by
 * itself, unless `--eval-data` names another or `--held-out` asks for rows of the data; a run that goes on has what it
 * began with (`validatedOn`: fingerprint of its held-out data, null for rows of the data itself).
 *
 * Throws: DatasetError, AbortError.
 */
export async function openTrainingData(
  args: Pick<TrainArgs, 'data' | 'images' | 'evalData' | 'heldOut'>,
  signal: AbortSignal,
  validatedOn?: string | null,
): Promise<TrainingData> {
  const rows = await openDiskDataset(args.data, args.images, { signal })
  if (args.evalData !== undefined) {
    const images = args.images ?? (await folderOf(args.data))
    const heldOut = await openDiskDataset(args.evalData, images, { signal })
    return { dataset: new ChosenData(rows, heldOut), notes: [] }
  }
  const beside = args.heldOut === undefined && validatedOn !== null ? rows.heldOut : undefined
  const note = beside && `${beside.length} held-out rows lie beside the data (${beside.name}): they validate`
  return { dataset: new ChosenData(rows, beside), notes: note === undefined ? [] : [note] }
}

/** Where pictures of the data are, for further rows; a zip's are its own. */
async function folderOf(data: string): Promise<string | undefined> {
  if ((await stat(data)).isDirectory()) return data
  return /\.zip$/i.test(data) ? undefined : dirname(data)
}

/** Parsed JSON of `--order`; what is in it is checked against the data later. Throws: DatasetError. */
export async function readOrder(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new DatasetError(`order: ${path} cannot be read (${(error as Error).message}); check its name`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new DatasetError(
      `order: ${path} is not JSON (${(error as Error).message}); write it as [[[0, 1], [2, 3]], ...]: ` +
        'steps, micro-batches, rows counted from 0',
    )
  }
}
