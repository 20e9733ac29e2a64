import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recipes } from '../model/train/recipes'
import type { RunInfo } from '../model/train/definition'
import type { StoredSettings } from '../model/train/run-settings'
import { parseCommandLine } from './args'
import { ONLY_RUN } from './disk-runs'
import { UsageError } from './errors'
import { checkAgainst, checkHeldOut, RunFolder } from './run-folder'
import type { TrainArgs } from './train-args'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trilobite-run-folder-'))
})
afterAll(() => rm(root, { recursive: true }))

const info: Omit<RunInfo, 'id'> = {
  name: 'out',
  model: 'm',
  createdAt: 1,
  recipe: { ...recipes['llava-1.5'].recipe, start: 'checkpoint', steps: 20 },
  dataset: { name: 'd', fingerprint: 'f', rows: 6, skipped: 0, heldOut: [3] },
  state: 'running',
  step: 0,
  steps: 20,
  checkpointStep: 0,
}
const settings: StoredSettings = {
  version: 2,
  dtype: 'f32',
  towerDtype: 'f16',
  weights: 'w',
  supervision: 's',
  preprocessing: 'p',
  rows: 'r',
  evaluateEvery: 100,
  captions: 2,
  checkpointEvery: 10,
  order: [[[0]]],
  modelConfig: {},
}

describe('the folder of a run', () => {
  test('may be new, empty, or hold other things', async () => {
    const made = new RunFolder(join(root, 'new'))
    const release = await made.lock(false)
    await made.expectNew()
    release()
    const folder = join(root, 'other')
    await mkdir(join(folder, 'features'), { recursive: true })
    await writeFile(join(folder, 'notes.txt'), '')
    await new RunFolder(folder).expectNew()
    await expect(new RunFolder(folder).expectRun()).rejects.toThrow('holds none that has a checkpoint')
  })

  test('is not one whose files training would replace', async () => {
    const folder = join(root, 'taken')
    await mkdir(folder)
    await writeFile(join(folder, 'README.md'), '')
    await expect(new RunFolder(folder).expectNew()).rejects.toThrow('already holds README.md')
    for (const path of ['README.md', 'README.md/out', 'README.md/a/b']) {
      await expect(new RunFolder(join(folder, path)).lock(false)).rejects.toThrow(
        `train: --out should be a folder, but ${join(folder, 'README.md')} is a file`,
      )
    }
    const listed = join(root, 'listed')
    await mkdir(listed)
    await writeFile(join(listed, 'skipped.jsonl'), '{"row":0,"id":"0","reason":"why"}\n')
    await new RunFolder(listed).expectNew()
    await writeFile(join(listed, 'skipped.jsonl'), 'mine')
    await expect(new RunFolder(listed).expectNew()).rejects.toThrow('already holds skipped.jsonl')
    await writeFile(join(folder, 'log.jsonl'), '')
    await expect(new RunFolder(folder).expectNew()).rejects.toThrow('already holds a run;')
  })

  test('with a run goes on by --resume alone; one that died before its first checkpoint begins anew', async () => {
    const folder = new RunFolder(join(root, 'run'))
    await folder.runs.create(info, ONLY_RUN)
    await folder.files.write(ONLY_RUN, 'settings.json', new TextEncoder().encode(JSON.stringify(settings)))
    expect(await folder.checkpointStep()).toBeUndefined()
    await expect(folder.expectRun()).rejects.toThrow('start it without --resume')
    await folder.expectNew()
    expect(await readdir(folder.path)).toEqual(['settings.json'])

    await folder.runs.create(info, ONLY_RUN)
    await folder.runs.writeCheckpoint(ONLY_RUN, { step: 4, updates: 4, skippedInARow: 0, tensors: [] })
    await expect(new RunFolder(folder.path).expectNew()).rejects.toThrow('holds a run (4 of 20 steps)')
    const kept = await new RunFolder(folder.path).expectRun()
    expect(kept.info).toMatchObject({ checkpointStep: 4, state: 'paused' })
    expect(kept.settings).toEqual(settings)
    expect(await folder.checkpointStep()).toBe(4)
  })

  test('takes an export beside the run, whose log stays', async () => {
    const folder = new RunFolder(join(root, 'export'))
    const file = (path: string) => ({ path, bytes: new TextEncoder().encode(path) })
    await folder.writeExport([file('connector/model.safetensors'), file('log.jsonl'), file('README.md')])
    expect((await readdir(folder.path)).sort()).toEqual(['README.md', 'connector'])
    expect(await readFile(join(folder.path, 'connector/model.safetensors'), 'utf8')).toBe(
      'connector/model.safetensors',
    )
  })
})

describe('a run that goes on', () => {
  const kept = { info: { ...info, id: ONLY_RUN }, settings }
  const check = (line: string, order?: unknown, of = kept) =>
    checkAgainst(
      of,
      parseCommandLine([
        'train',
        '--model',
        'm',
        '--data',
        'd',
        '--out',
        'o',
        ...line.split(' ').filter(Boolean),
      ]) as TrainArgs,
      order,
    )

  test('takes what it began with, given again or not', () => {
    expect(() => check('')).not.toThrow()
    expect(() =>
      check(
        '--recipe llava-1.5 --steps 20 --lr 1e-3 --start checkpoint --dtype f32 --held-out 1 --captions 2 --batch-size 3',
        [[[0]]],
      ),
    ).not.toThrow()
  })

  test('takes what gave way to its order', () => {
    const order = [[[0, 1]], [[2, 3]], [[4, 5]]]
    const of = (steps: number) => ({
      info: { ...kept.info, recipe: { ...info.recipe, steps, batchSize: 2, accumulate: 1 } },
      settings: { ...settings, order },
    })
    for (const line of ['--epochs 3', '--steps 3', '--steps 75', '--batch-size 8 --accumulate 2']) {
      expect(() => check(line, order, of(3))).not.toThrow()
    }
    expect(() => check('--steps 2', order, of(2))).not.toThrow()
    expect(() => check('--steps 2', order, of(3))).toThrow('--steps 2 (the run has 3)')
    expect(() => check('--steps 3', order, of(2))).toThrow('--steps 3 (the run has 2)')
  })

  test('takes as many held-out rows of their own as it began with', () => {
    const of = (rows: number) => ({
      info: {
        ...kept.info,
        dataset: { ...info.dataset, heldOut: Array.from({ length: rows }, (_, i) => i) },
      },
      settings: { ...settings, heldOutData: 'h' },
    })
    expect(() => check('--eval-data e.json --held-out 4', undefined, of(4))).not.toThrow()
    expect(() => check('--held-out 4', undefined, of(4))).toThrow(
      '--held-out 4 (the run has held-out rows of their own)',
    )
    for (const [asked, own] of [
      [undefined, 4],
      [4, 4],
      [0, 9],
      [9, 9],
      [100, 9],
    ] as const) {
      expect(() => checkHeldOut(of(own), asked, 9)).not.toThrow()
    }
    expect(() => checkHeldOut(of(4), 5, 9)).toThrow('--held-out 5 (the run has 4 of the held-out file)')
    expect(() => checkHeldOut(of(4), 0, 9)).toThrow(UsageError)
  })

  test.each([
    ['--lr 0.01', '--lr 0.01 (the run has 0.001)'],
    ['--recipe tinyllava', '--recipe tinyllava (the run has llava-1.5)'],
    ['--sampler-lr 1e-4', '--sampler-lr 0.0001 (the run has none)'],
    ['--dtype q8', '--dtype q8 (the run has f32)'],
    ['--held-out 2', '--held-out 2 (the run has 1)'],
    ['--eval-data e.json', '--eval-data (the run has none)'],
    ['--eval-every 5', '--eval-every 5 (the run has 100)'],
    ['--steps 5 --seed 3', '--steps 5 (the run has 20), --seed 3 (the run has 42)'],
  ])('refuses %s', (line, message) => {
    expect(() => check(line)).toThrow(`a run goes on as it began: ${message}; leave these out`)
    expect(() => check(line)).toThrow(expect.objectContaining({ name: 'UsageError' }))
  })

  test('refuses another order', () => {
    expect(() => check('', [[[1]]])).toThrow('--order (the run has another)')
    const { order: _order, ...rest } = settings
    expect(() => check('--batch-size 3', undefined, { ...kept, settings: rest })).toThrow('--batch-size 3')
    expect(() => check('--epochs 2', undefined, { ...kept, settings: rest })).toThrow(
      '--epochs (the run has --steps 20), --epochs 2 (the run has 1)',
    )
    expect(() => check('', [[[1]]], { ...kept, settings: rest })).toThrow('--order (the run has none)')
  })
})
