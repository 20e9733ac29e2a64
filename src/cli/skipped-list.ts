import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SkippedRow } from '../model/train/definition'

export const SKIPPED_FILE = 'skipped.jsonl'

/** How each line of the file begins. */
const LINE = /^\{"row":\d+,"id":/
/** Lines that are written together. */
const BATCH = 10_000

/** Every row that a run leaves out and why, in a file of the run's folder: each once, however often the run goes on. */
export class SkippedList {
  readonly path: string
  /** Why the file is not whole; undefined where it is. */
  problem: string | undefined
  private readonly known = new Set<string>()

  /** `isKept`: what the file holds stays; else it begins anew. The folder must be there. */
  constructor(folder: string, isKept: boolean) {
    this.path = join(folder, SKIPPED_FILE)
    this.attempt(() => (isKept ? this.goOn() : rmSync(this.path, { force: true })))
  }

  get count(): number {
    return this.known.size
  }

  /** Writes down those that are not there yet. Returns: them. */
  add(rows: readonly SkippedRow[]): SkippedRow[] {
    const added = rows.filter((row) => !this.known.has(keyOf(row)))
    for (const row of added) this.known.add(keyOf(row))
    for (let at = 0; at < added.length; at += BATCH) {
      const lines = added.slice(at, at + BATCH).map(lineOf)
      this.attempt(() => appendFileSync(this.path, lines.join('')))
    }
    return added
  }

  private goOn(): void {
    if (!existsSync(this.path)) return
    const text = readFileSync(this.path, 'utf8')
    // A crash may leave half a line at the end.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    for (const line of whole.split('\n').slice(0, -1)) this.known.add(keyOf(JSON.parse(line) as SkippedRow))
    if (whole !== text) writeFileSync(this.path, whole)
  }

  /** Training does not end for want of this file. */
  private attempt(run: () => void): void {
    if (this.problem !== undefined) return
    try {
      run()
    } catch (error) {
      this.problem = `${this.path} cannot be written (${(error as Error).message})`
    }
  }
}

/** Whether a file of this name was written here: an earlier start that failed leaves it. */
export function isSkippedFile(path: string): boolean {
  return LINE.test(readFileSync(path, 'utf8'))
}

/** Rows of the held-out file are counted by themselves. */
const keyOf = ({ row, heldOut }: SkippedRow) => `${row}${heldOut ? ' held out' : ''}`

const lineOf = ({ row, id, image, reason, heldOut }: SkippedRow) =>
  `${JSON.stringify({ row, id, image, reason, heldOut })}\n`
