import { expect } from 'vitest'
import type { LogRecord } from '../definition'
import { readLog } from '../log'
import { Runs } from '../run-state'
import { CHECKPOINT_FILE, type RunFiles } from '../run-store'
import { Died, evaluationRecord, f32, someRun, stepRecord } from './runs'

const STEPS = 6
const EVERY = 2

/** Files on a machine that dies at some moment of writing, and the same after it was started again. */
export interface Mortal {
  readonly files: RunFiles
  /** Moments of writing so far. */
  moments(): number
  revive(): Promise<RunFiles>
}

/** A checkpoint whose step is in every number. */
export const checkpointAt = (step: number) => ({
  step,
  updates: Math.max(0, step - 1),
  skippedInARow: step % 2,
  tensors: tensorsAt(step),
})

export const tensorsAt = (step: number) => [
  f32('connector.weight', step, step + 0.5),
  f32('m.connector.weight', step / 3, -step),
]

/** A run as TrainingRun has it written: a checkpoint with all that happened since the one before. */
async function train(runs: Runs, from: number): Promise<void> {
  const unwritten: LogRecord[] = []
  for (let step = from + 1; step <= STEPS; step++) {
    unwritten.push(stepRecord(step))
    if (step % EVERY !== 0) continue
    unwritten.push(evaluationRecord(step))
    await runs.writeCheckpoint('a', checkpointAt(step), { unwritten, changes: { loss: 5 / step } })
  }
  await runs.update('a', { state: 'done' })
}

/** Trains a new run until it is done or the machine dies. Returns: the step of the last checkpoint that was written whole. */
async function begin(files: RunFiles): Promise<number | undefined> {
  let written: number | undefined
  const watched: RunFiles = {
    runs: () => files.runs(),
    read: (...args) => files.read(...args),
    size: (...args) => files.size(...args),
    append: (...args) => files.append(...args),
    truncate: (...args) => files.truncate(...args),
    remove: (...args) => files.remove(...args),
    async write(run, name, bytes) {
      await files.write(run, name, bytes)
      if (name === CHECKPOINT_FILE) written = written === undefined ? 0 : written + EVERY
    },
  }
  const runs = new Runs(watched)
  await untilDeath(async () => {
    await runs.create(someRun, 'a')
    await runs.writeCheckpoint('a', checkpointAt(0))
    await train(runs, 0)
  })
  return written
}

async function goOn(files: RunFiles): Promise<void> {
  const runs = new Runs(files)
  await untilDeath(async () => {
    const { checkpoint } = await runs.resume('a')
    await train(runs, checkpoint.step)
  })
}

async function untilDeath(task: () => Promise<void>): Promise<void> {
  await task().catch((error: unknown) => {
    if (!(error instanceof Died)) throw error
  })
}

const records = (upTo: number) =>
  Array.from({ length: upTo }, (_, i) => i + 1).flatMap((step) =>
    step % EVERY === 0 ? [stepRecord(step), evaluationRecord(step)] : [stepRecord(step)],
  )

/** Looks at what a death left, then lets the run go on to its end. */
async function expectWhole(files: RunFiles, written: number | undefined): Promise<void> {
  const runs = new Runs(files)
  const [run] = await runs.list()
  if (!run || run.state === 'failed') {
    expect(written).toBeUndefined()
    return
  }
  const { step, tensors } = await runs.readCheckpoint('a')
  // The last checkpoint that was written whole, or the one that was being written.
  expect([written ?? 0, (written ?? -EVERY) + EVERY]).toContain(step)
  expect([...tensors.values()]).toEqual(tensorsAt(step))
  expect(run.checkpointStep).toBe(step)
  expect(run.step).toBeGreaterThanOrEqual(step)
  expect(['paused', step === STEPS ? 'done' : '']).toContain(run.state)
  expect((await readLog(files, 'a')).length).toBeGreaterThanOrEqual(records(step).length)

  const { run: resumed } = await runs.resume('a')
  expect(resumed).toMatchObject({ state: 'running', step, checkpointStep: step })
  expect(await readLog(files, 'a')).toEqual(records(step))
  await train(runs, step)
  expect(await readLog(files, 'a')).toEqual(records(STEPS))
  expect(await runs.get('a')).toMatchObject({ state: 'done', step: STEPS, checkpointStep: STEPS })
  expect((await runs.get('a')).loss).toBe(5 / STEPS)
}

/** Lets a run die at every `stride`-th moment; each time it must be able to go on to the same end. */
export async function expectToSurvive(boot: (last: number) => Promise<Mortal>, stride = 1): Promise<void> {
  const whole = await boot(Infinity)
  expect(await begin(whole.files)).toBe(STEPS)
  const moments = whole.moments()
  expect(moments).toBeGreaterThan(30)
  await expectWhole(await whole.revive(), STEPS)
  for (let last = 0; last < moments; last += stride) {
    const mortal = await boot(last)
    const written = await begin(mortal.files)
    await expectWhole(await mortal.revive(), written)
  }
}

/** Lets a run that died die once more, at each of the first moments of going on. */
export async function expectToSurviveTwice(
  boot: (last: number, files?: RunFiles) => Promise<Mortal>,
): Promise<void> {
  const whole = await boot(Infinity)
  await begin(whole.files)
  const moments = whole.moments()
  for (let last = 0; last < moments; last += 3) {
    for (let again = 0; again < 12; again++) {
      const mortal = await boot(last)
      const written = await begin(mortal.files)
      if (written === undefined) continue
      const files = await mortal.revive()
      const first = await new Runs(files).get('a')
      const second = await boot(again, files)
      await goOn(second.files)
      const { checkpointStep } = await new Runs(files).get('a')
      expect(checkpointStep).toBeGreaterThanOrEqual(first.checkpointStep)
      await expectWhole(files, checkpointStep)
    }
  }
}
