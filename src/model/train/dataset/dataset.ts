import { DatasetError } from '../../errors'
import type { Dataset, Sample, Scan, SkippedRow } from '../definition'
import { throwIfAborted } from './access'
import type { Rows } from './annotations'
import type { Pictures } from './pictures'
import type { ParsedRow } from './row'

const PROGRESS_ROWS = 2000
/** Pictures that are looked for at once: a disk answers faster to several. */
const PARALLEL_CHECKS = 64

export interface DatasetParts {
  name: string
  rows: Rows
  pictures: Pictures
  heldOut?: Dataset | undefined
  heldOutProblem?: string | undefined
  /** Closed with the dataset, the last first. */
  resources?: readonly { close?(): Promise<void> }[]
}

type ScanOptions = NonNullable<Parameters<Dataset['scan']>[0]>

/** Closes what was opened, the last first. */
export async function closeAll(resources: readonly { close?(): Promise<void> }[]): Promise<void> {
  for (const resource of resources.toReversed()) await resource.close?.()
}

/** Rows and the pictures they name. */
export class RowDataset implements Dataset {
  readonly name: string
  readonly length: number
  readonly fingerprint: string
  readonly heldOut: Dataset | undefined
  readonly heldOutProblem: string | undefined

  constructor(private readonly parts: DatasetParts) {
    this.name = parts.name
    this.length = parts.rows.length
    this.fingerprint = parts.rows.fingerprint
    this.heldOut = parts.heldOut
    this.heldOutProblem = parts.heldOutProblem
  }

  async sample(row: number): Promise<Sample> {
    if (!Number.isInteger(row) || row < 0 || row >= this.length) {
      throw new DatasetError(`dataset: ${this.name} has rows 0 to ${this.length - 1}, not ${row}`)
    }
    const { sample, problem } = await this.parts.rows.read(row)
    if (sample) return sample
    throw new DatasetError(`dataset: row ${row} of ${this.name} ${problem}; correct or remove it`)
  }

  image(path: string): Promise<Uint8Array> {
    return this.parts.pictures.read(path)
  }

  async scan({ signal, onProgress }: ScanOptions = {}): Promise<Scan> {
    const usable = new Uint32Array(this.length)
    const textOnly: { row: number; id: string }[] = []
    const skipped: SkippedRow[] = []
    let usableCount = 0
    let row = 0
    let told = 0
    for await (const batch of this.parts.rows.batches(signal)) {
      for (let at = 0; at < batch.length; at += PARALLEL_CHECKS) {
        throwIfAborted(signal)
        const parsed = batch.slice(at, at + PARALLEL_CHECKS)
        const reasons = await Promise.all(parsed.map((one) => this.reasonToSkip(one)))
        for (const [i, reason] of reasons.entries()) {
          const { id, image } = parsed[i]!
          if (reason !== undefined) skipped.push({ row, id, image, reason })
          else {
            usable[usableCount++] = row
            if (image === undefined) textOnly.push({ row, id })
          }
          row++
        }
        if (row - told >= PROGRESS_ROWS) {
          told = row
          onProgress?.(row)
        }
      }
    }
    if (told < row) onProgress?.(row)
    return { usable: usable.slice(0, usableCount), textOnly, skipped }
  }

  async close(): Promise<void> {
    await closeAll(this.parts.resources ?? [])
  }

  private async reasonToSkip({ sample, problem }: ParsedRow): Promise<string | undefined> {
    if (!sample) return problem
    if (sample.image === undefined) return undefined
    const picture = await this.parts.pictures.problemOf(sample.image)
    return picture === undefined ? undefined : `its picture ${picture}`
  }
}
