import { mkdir, readdir, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { TrainingError } from '../model/errors'
import type { RunInfo } from '../model/train/definition'
import { WEIGHTS_FILE } from '../model/train/export/layouts'
import { Runs } from '../model/train/run-state'
import { CHECKPOINT_FILE, INFO_FILE, LOG_FILE, UNFINISHED } from '../model/train/run-store'
import { readSettings, type StoredSettings } from '../model/train/run-settings'
import type { ExportedFile } from '../worker/training-api'
import { DiskRuns, ONLY_RUN } from './disk-runs'
import { UsageError } from './errors'
import { lockFolder } from './run-lock'
import { isSkippedFile, SKIPPED_FILE } from './skipped-list'
import { RECIPE_OPTIONS, type TrainArgs } from './train-args'

/** What an export writes beside the run's own files. */
const EXPORTED: readonly string[] = [
  ...new Set(Object.values(WEIGHTS_FILE)),
  'config.json',
  'recipe.json',
  'log.csv',
  'README.md',
]

/** A run that is kept in a folder. */
export interface KeptRun {
  readonly info: RunInfo
  readonly settings: StoredSettings
}

/** The folder of `--out`: one run, and the connector that came of it. */
export class RunFolder {
  readonly files: DiskRuns
  readonly runs: Runs

  constructor(readonly path: string) {
    this.files = new DiskRuns(path, { only: true })
    this.runs = new Runs(this.files)
  }

  /**
   * Keeps other processes out until the returned function is called, or this process ends.
   *
   * `isWaiting`: one that was told to end is waited for. Throws: UsageError where this can be no folder; TrainingError where
   * another process trains here.
   */
  async lock(isWaiting: boolean): Promise<() => void> {
    for (let path = resolve(this.path); ; path = dirname(path)) {
      const info = await stat(path).catch(() => undefined)
      if (info?.isDirectory() || path === dirname(path)) break
      if (info) throw new UsageError(`train: --out should be a folder, but ${path} is a file`)
    }
    return isWaiting ? lockFolder(this.path) : lockFolder(this.path, 0)
  }

  /**
   * Makes sure that a new run can begin here. The folder is there.
   *
   * Throws: UsageError where there is a run, or files that its export would replace.
   */
  async expectNew(): Promise<void> {
    if (await this.hasRun()) {
      const { step, steps } = await this.runs.get(ONLY_RUN)
      const state = steps > 0 ? ` (${step} of ${steps} steps)` : ''
      throw new UsageError(
        `train: ${this.path} already holds a run${state}; go on with it by --resume, or choose another --out`,
      )
    }
    const names = await readdir(this.path)
    const inTheWay = EXPORTED.filter((name) => names.includes(name.split('/')[0]!))
    if (names.includes(SKIPPED_FILE) && !isSkippedFile(join(this.path, SKIPPED_FILE))) {
      inTheWay.push(SKIPPED_FILE)
    }
    if (inTheWay.length > 0) {
      throw new UsageError(
        `train: ${this.path} already holds ${inTheWay.join(', ')}, which training would replace; choose another --out`,
      )
    }
    // A run that died before its first checkpoint has nothing to go on from.
    if (names.includes(INFO_FILE)) await this.runs.remove(ONLY_RUN)
  }

  /** The run that is to go on. Throws: UsageError where there is none. */
  async expectRun(): Promise<KeptRun> {
    if (await this.hasRun()) {
      return { info: await this.runs.get(ONLY_RUN), settings: await readSettings(this.runs, ONLY_RUN) }
    }
    throw new UsageError(
      `train: --resume goes on with a run, but ${this.path} holds none that has a checkpoint; start it without --resume`,
    )
  }

  /** The step that a run here would go on from. */
  async checkpointStep(): Promise<number | undefined> {
    if (!(await this.hasRun())) return undefined
    return (await this.runs.get(ONLY_RUN).catch(() => undefined))?.checkpointStep
  }

  /** Writes an export beside the run, each file as a whole. Its log is the run's own. Throws: TrainingError. */
  async writeExport(files: readonly ExportedFile[]): Promise<void> {
    for (const { path, bytes } of files) {
      if (path === LOG_FILE) continue
      const file = join(this.path, path)
      try {
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file + UNFINISHED, bytes)
        await rename(file + UNFINISHED, file)
      } catch (error) {
        throw new TrainingError(`export: ${file} cannot be written (${(error as Error).message})`)
      }
    }
  }

  /** A log or a checkpoint without run.json counts: it is somebody's. */
  private async hasRun(): Promise<boolean> {
    for (const name of [CHECKPOINT_FILE, LOG_FILE]) {
      if ((await this.files.size(ONLY_RUN, name)) !== undefined) return true
    }
    return false
  }
}

/** What an order says: it had its way at the beginning. */
const SAID_BY_ORDER = new Set(['batchSize', 'accumulate', 'epochs'])

/**
 * Refuses options that say something else than the run that goes on.
 *
 * Throws: UsageError that names all of them.
 */
export function checkAgainst({ info, settings }: KeptRun, args: TrainArgs, order: unknown): void {
  const { recipe, dataset } = info
  const wrong: string[] = []
  const compare = (option: string, given: unknown, own: unknown) => {
    if (given !== undefined && given !== own)
      wrong.push(`${option} ${String(given)} (the run has ${String(own)})`)
  }
  compare('--recipe', args.recipe, recipe.name)
  const ordered = Array.isArray(settings.order) ? settings.order.length : undefined
  for (const [field, option] of Object.entries(RECIPE_OPTIONS)) {
    if (ordered !== undefined && SAID_BY_ORDER.has(field)) continue
    const own = recipe[field as keyof typeof RECIPE_OPTIONS]
    const given = args.changes[field as keyof typeof RECIPE_OPTIONS]
    // `--epochs` says at once that no steps are set.
    if (field === 'steps' && given === null) {
      if (own !== null && ordered === undefined) wrong.push(`--epochs (the run has --steps ${own})`)
    } else if (field === 'steps' && ordered !== undefined && Math.min(given as number, ordered) === own) {
      continue
    } else if (given !== undefined && given !== own) {
      wrong.push(`${option} ${given ?? 'none'} (the run has ${own ?? 'none'})`)
    }
  }
  if (args.dtype !== 'auto') compare('--dtype', args.dtype, settings.dtype)
  compare('--eval-every', args.evaluateEvery, settings.evaluateEvery)
  compare('--captions', args.captions, settings.captions)
  compare('--checkpoint-every', args.checkpointEvery, settings.checkpointEvery)
  if (settings.heldOutData === undefined) {
    compare('--held-out', args.heldOut, dataset.heldOut.length)
    if (args.evalData !== undefined) wrong.push('--eval-data (the run has none)')
  } else if (args.heldOut !== undefined && args.evalData === undefined) {
    wrong.push(`--held-out ${args.heldOut} (the run has held-out rows of their own)`)
  }
  if (order !== undefined && JSON.stringify(order) !== JSON.stringify(settings.order)) {
    wrong.push(`--order (the run has ${settings.order === undefined ? 'none' : 'another'})`)
  }
  if (wrong.length === 0) return
  throw new UsageError(
    `train: a run goes on as it began: ${wrong.join(', ')}; leave these out, or begin anew in another --out`,
  )
}

/**
 * Refuses another number of held-out rows where they lie in a file of their own, of which `usable` can be used.
 *
 * Throws: UsageError.
 */
export function checkHeldOut({ info }: KeptRun, asked: number | undefined, usable: number): void {
  const own = info.dataset.heldOut.length
  if (asked === undefined || Math.min(asked || usable, usable) === own) return
  throw new UsageError(
    `train: a run goes on as it began: --held-out ${asked} (the run has ${own} of the held-out file); leave it out, or ` +
      'begin anew in another --out',
  )
}
