import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatasetError } from '../model/errors'
import type { Dataset, Sample, Scan, SkippedRow } from '../model/train/definition'
import { stepsIn } from '../model/train/order'
import { expectUsable, usableFor } from '../model/train/usable-rows'
import { openDiskDataset } from './disk-dataset'
import { UsageError } from './errors'
import type { ProgressLine } from './progress-line'
import { checkHeldOut, type KeptRun } from './run-folder'
import type { TrainArgs } from './train-args'

type ScanOptions = NonNullable<Parameters<Dataset['scan']>[0]>

/** A dataset that is looked through once, however often that is asked for, with what validates chosen by hand. */
export class ChosenData implements Dataset {
  readonly heldOut: ChosenData | undefined
  private scanning: Promise<Scan> | undefined

  constructor(
    private readonly rows: Dataset,
    heldOut?: Dataset,
  ) {
    this.heldOut = heldOut && (heldOut instanceof ChosenData ? heldOut : new ChosenData(heldOut))
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
    await this.heldOut?.close()
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
 * itself, unless `--eval-data` names another, `--held-out` asks for rows of the data, or it has no row that can be used; a
 * run that goes on has what it began with (`validatedOn`: fingerprint of its held-out data, null for rows of the data
 * itself).
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
    const heldOut = new ChosenData(await openDiskDataset(args.evalData, images, { signal }))
    expectUsable(heldOut, await heldOut.scan({ signal }))
    return { dataset: new ChosenData(rows, heldOut), notes: [] }
  }
  if (args.heldOut !== undefined || validatedOn === null) return { dataset: new ChosenData(rows), notes: [] }
  const { heldOut, note } = await rowsBeside(rows, signal)
  return { dataset: new ChosenData(rows, heldOut), notes: note === undefined ? [] : [note] }
}

/** The file of held-out rows that lies beside the data, where it is one. */
async function rowsBeside(
  { heldOut: found, heldOutProblem }: Dataset,
  signal: AbortSignal,
): Promise<{ heldOut?: ChosenData; note?: string }> {
  const letBe = (why: string) =>
    `a file beside the data is called as one of held-out rows is, and let be: ${why}. --eval-data names another`
  if (!found) return heldOutProblem === undefined ? {} : { note: letBe(heldOutProblem) }
  const heldOut = new ChosenData(found)
  try {
    expectUsable(heldOut, await heldOut.scan({ signal }))
  } catch (error) {
    if (!(error instanceof DatasetError)) throw error
    return { note: letBe(error.message) }
  }
  const { length, name } = heldOut
  return {
    heldOut,
    note: `${length} held-out row${length === 1 ? ' lies' : 's lie'} beside the data (${name}) and will validate`,
  }
}

/** How rows are looked at. */
interface Looking {
  readonly signal: AbortSignal
  readonly progress: Pick<ProgressLine, 'show' | 'clear' | 'note'>
  /** Told about rows that cannot be used, `of` so many. */
  readonly leaveOut: (rows: readonly SkippedRow[], of: string) => void
}

/**
 * Opens the data and looks at each of its rows.
 *
 * Throws: DatasetError where nothing of it can be used; UsageError where a run that goes on has other held-out rows.
 */
export async function lookThrough(
  args: Pick<TrainArgs, 'data' | 'images' | 'evalData' | 'heldOut'>,
  kept: KeptRun | undefined,
  { signal, progress, leaveOut }: Looking,
): Promise<ChosenData> {
  const validatedOn = kept && (kept.settings.heldOutData ?? null)
  const { dataset, notes } = await openTrainingData(args, signal, validatedOn)
  const { heldOut, length } = dataset
  for (const note of notes) progress.note(`note: ${note}`)
  if (kept?.settings.heldOutData !== undefined) {
    if (!heldOut) {
      throw new UsageError(
        'train: this run validates on held-out rows of their own; give its --eval-data again',
      )
    }
    checkHeldOut(
      kept,
      args.heldOut,
      usableFor(await heldOut.scan({ signal }), kept.info.recipe).usable.length,
    )
  }
  const scan = await dataset.scan({
    signal,
    onProgress: (rows) => progress.show(`looking through the data: ${rows} of ${length} rows`),
  })
  progress.clear()
  leaveOut(scan.skipped, `${length} rows`)
  if (heldOut) {
    const { skipped } = await heldOut.scan({ signal })
    leaveOut(
      skipped.map((row) => ({ ...row, heldOut: true as const })),
      `${heldOut.length} held-out rows`,
    )
  }
  expectUsable(dataset, scan)
  return dataset
}

/** Where pictures of the data are, for further rows; a zip's are its own. */
async function folderOf(data: string): Promise<string | undefined> {
  if ((await stat(data)).isDirectory()) return data
  return /\.zip$/i.test(data) ? undefined : dirname(data)
}

/** The list of steps in the JSON of `--order`; what is in it is checked against the data later. Throws: DatasetError. */
export async function readOrder(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new DatasetError(`order: ${path} cannot be read (${(error as Error).message}); check its name`)
  }
  try {
    return stepsIn(JSON.parse(text))
  } catch (error) {
    throw new DatasetError(
      `order: ${path} is not JSON (${(error as Error).message}); write it as [[[0, 1], [2, 3]], ...]: ` +
        'steps, micro-batches, rows counted from 0',
    )
  }
}
