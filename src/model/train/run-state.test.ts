import { describe, expect, test, vi } from 'vitest'
import { CheckpointError, TrainingError } from '../errors'
import { writeSafetensors } from '../checkpoint/safetensors-writer'
import type { LogRecord } from './definition'
import { readLog } from './log'
import { Runs } from './run-state'
import { CHECKPOINT_FILE, INFO_FILE, MemoryRuns, type RunFiles } from './run-store'
import { checkpointAt, expectToSurvive, expectToSurviveTwice, tensorsAt } from './testing/deaths'
import { DyingRuns, f32, someRun, stepRecord } from './testing/runs'

const text = (value: string) => new TextEncoder().encode(value)

async function withRun(step = 2): Promise<{ files: MemoryRuns; runs: Runs }> {
  const files = new MemoryRuns()
  const runs = new Runs(files)
  await runs.create(someRun, 'a')
  await runs.writeCheckpoint('a', checkpointAt(step))
  return { files, runs }
}

describe('runs', () => {
  test('are listed, newest first, as they were written', async () => {
    const runs = new Runs(new MemoryRuns())
    expect(await runs.list()).toEqual([])
    const reached = { loss: 0.5, evaluationLoss: 0.75, startedFrom: 'first try' }
    const old = await runs.create({ ...someRun, ...reached, state: 'done' })
    const young = await runs.create({ ...someRun, createdAt: someRun.createdAt + 1, state: 'stopped' })
    expect(old.id).not.toBe(young.id)
    for (const { id } of [old, young]) await runs.writeCheckpoint(id, checkpointAt(0))
    expect(await runs.list()).toEqual([young, old])
    expect(await new Runs(runs.files).get(old.id)).toEqual(old)
    await expect(runs.get('other')).rejects.toThrow(TrainingError)
  })

  test('are renamed while they train, and nothing is lost', async () => {
    const { runs } = await withRun()
    await Promise.all([
      runs.update('a', { step: 4, loss: 1.25 }),
      runs.rename('a', 'second try'),
      runs.update('a', { step: 5, loss: NaN }),
      runs.writeCheckpoint('a', checkpointAt(5)),
    ])
    const run = await runs.get('a')
    expect(run).toMatchObject({
      name: 'second try',
      step: 5,
      checkpointStep: 5,
      createdAt: someRun.createdAt,
    })
    expect(run).not.toHaveProperty('loss')
  })

  test('stay deleted, whoever still trains them', async () => {
    const { runs, files } = await withRun()
    await runs.remove('a')
    for (const change of [
      () => runs.update('a', { step: 3 }),
      () => runs.rename('a', 'x'),
      () => runs.writeCheckpoint('a', checkpointAt(3), { unwritten: [stepRecord(3)] }),
      () => runs.resume('a'),
    ]) {
      await expect(change()).rejects.toThrow(
        'run: expected a run that is kept here, got "a"; was it deleted?',
      )
    }
    expect(await files.runs()).toEqual([])
  })

  test('are not begun over one another, but over what is left of one', async () => {
    const { runs, files } = await withRun()
    await expect(runs.create(someRun, 'a')).rejects.toThrow('run: expected no run yet, got one')
    await files.write('b', CHECKPOINT_FILE, (await files.read('a', CHECKPOINT_FILE))!)
    await runs.create(someRun, 'b')
    await expect(runs.readCheckpoint('b')).rejects.toThrow(CheckpointError)
  })

  test('whose tab went away are paused, unless they never had a checkpoint', async () => {
    const { runs } = await withRun()
    await runs.create(someRun, 'b')
    const listed = async (live?: Set<string>) =>
      Object.fromEntries((await runs.list(live)).map(({ id, state, problem }) => [id, [state, problem]]))
    expect(await listed(new Set(['a', 'b']))).toEqual({
      a: ['running', undefined],
      b: ['running', undefined],
    })
    const problem = 'It has no checkpoint: it ended before the first one was written, start it again.'
    expect(await listed()).toEqual({ a: ['paused', undefined], b: ['failed', problem] })
    await runs.update('a', { state: 'failed', problem: 'The GPU was lost.' })
    expect(await listed()).toMatchObject({ a: ['failed', 'The GPU was lost.'] })
  })

  test.each([
    [INFO_FILE, text('{'), 'run.json: expected JSON, got '],
    [INFO_FILE, text('[]'), 'run.json: expected a JSON object'],
    [INFO_FILE, text('{"version":2}'), 'run.json: expected version 1, got 2'],
    [INFO_FILE, text('{"version":1,"state":"asleep"}'), 'run.json: expected a state of running, paused, '],
    [
      INFO_FILE,
      text('{"version":1,"state":"done","recipe":{}}'),
      'run.json: recipe: name should be a name but is missing',
    ],
    [
      CHECKPOINT_FILE,
      text('abc'),
      'checkpoint.safetensors: expected a safetensors file of at least 8 bytes, got 3',
    ],
    [
      CHECKPOINT_FILE,
      text('version https://git-lfs'),
      'checkpoint.safetensors: expected a safetensors header of at most',
    ],
  ])('with a damaged %s are listed as failed, and why', async (name, bytes, problem) => {
    const { runs, files } = await withRun()
    await runs.create(someRun, 'b')
    await runs.writeCheckpoint('b', checkpointAt(1))
    await files.write('a', name, bytes)
    const [a, b] = (await runs.list()).sort((x, y) => (x.id < y.id ? -1 : 1))
    expect(a).toMatchObject({ id: 'a', state: 'failed', problem: expect.stringContaining(problem) })
    expect(b).toMatchObject({ id: 'b', state: 'paused' })
    await runs.remove('a')
    expect(await runs.list()).toHaveLength(1)
  })

  test('name the field that cannot be', async () => {
    const { runs, files } = await withRun()
    const whole = JSON.parse(new TextDecoder().decode(await files.read('a', INFO_FILE))) as Record<
      string,
      unknown
    >
    for (const [changes, problem] of [
      [{ name: 3 }, 'name should be text but is 3'],
      [{ steps: 1.5 }, 'steps should be a whole number from 0 but is 1.5'],
      [{ dataset: null }, 'expected dataset to be a JSON object'],
      [
        { dataset: { ...someRun.dataset, heldOut: [1, -1] } },
        'dataset.heldOut should be a list of whole numbers',
      ],
      [
        { dataset: { ...someRun.dataset, rows: undefined } },
        'dataset.rows should be a whole number from 0 but is missing',
      ],
      [{ loss: '1' }, 'loss should be a number but is "1"'],
    ] as const) {
      await files.write('a', INFO_FILE, text(JSON.stringify({ ...whole, ...changes })))
      expect((await runs.get('a')).problem).toContain(`run.json: ${problem}`)
    }
  })
})

describe('checkpoints', () => {
  test('give back every bit', async () => {
    const { runs } = await withRun(7)
    const { tensors, ...state } = await runs.readCheckpoint('a')
    expect(state).toEqual({ step: 7, updates: 6, skippedInARow: 1 })
    expect([...tensors.values()]).toEqual(tensorsAt(7))
    for (const { data } of tensors.values()) expect(data.buffer.byteLength).toBe(data.byteLength)
  })

  test('are written as they lie and read a tensor at a time, those that are asked for alone', async () => {
    const { runs, files } = await withRun()
    const write = vi.spyOn(files, 'write')
    const large = f32('weight/a', ...new Array<number>(5000).fill(1))
    const tensors = [large, f32('weight/b', 2), f32('m/a', 3)]
    await runs.writeCheckpoint('a', { ...checkpointAt(3), tensors })
    const [, , chunks] = write.mock.calls.find(([, name]) => name === CHECKPOINT_FILE)!
    expect((chunks as Uint8Array[]).map(({ buffer }) => buffer)).toContain(large.data.buffer)

    const read = vi.spyOn(files, 'read')
    const { tensors: weights } = await runs.readCheckpoint('a', 'weight/')
    expect([...weights.values()]).toEqual(tensors.slice(0, 2))
    const sizes = (await Promise.all(read.mock.results.map(({ value }) => value))).map(
      (bytes: Uint8Array) => bytes.byteLength,
    )
    expect(Math.max(...sizes)).toBe(20_000)
    // Those of the head are read before and after.
    expect(sizes.filter((size) => size === 20_000 || size === 4)).toEqual([20_000, 4])
  })

  test('that are replaced while they are read are read as a whole', async () => {
    const { runs, files } = await withRun(2)
    const read = files.read.bind(files)
    let step = 2
    let last = 4
    vi.spyOn(files, 'read').mockImplementation(async (run, name, range) => {
      const bytes = await read(run, name, range)
      if (name === CHECKPOINT_FILE && range?.start !== undefined && step < last)
        await runs.writeCheckpoint('a', checkpointAt(++step))
      return bytes
    })
    const checkpoint = await runs.readCheckpoint('a')
    expect(checkpoint.step).toBe(4)
    expect([...checkpoint.tensors.values()]).toEqual(tensorsAt(4))
    last = Infinity
    await expect(runs.readCheckpoint('a')).rejects.toThrow('expected one checkpoint, got parts of several')
  })

  test('take their log with them once, whatever there is room for', async () => {
    const { runs, files } = await withRun(2)
    const unwritten: LogRecord[] = [stepRecord(3)]
    const full = new TrainingError('no room')
    vi.spyOn(files, 'append').mockRejectedValueOnce(full)
    await expect(runs.writeCheckpoint('a', checkpointAt(3), { unwritten })).rejects.toThrow(full)
    expect(unwritten).toEqual([stepRecord(3)])
    vi.spyOn(files, 'write').mockRejectedValueOnce(full)
    await expect(runs.writeCheckpoint('a', checkpointAt(3), { unwritten })).rejects.toThrow(full)
    expect((await runs.readCheckpoint('a')).step).toBe(2)
    await runs.writeCheckpoint('a', checkpointAt(3), { unwritten, changes: { loss: 0.5 } })
    expect(await readLog(files, 'a')).toEqual([stepRecord(3)])
    expect(await runs.get('a')).toMatchObject({ step: 3, checkpointStep: 3, loss: 0.5 })
  })

  test('that cannot be written leave the one before', async () => {
    const { runs } = await withRun(2)
    const bad = checkpointAt(3)
    for (const [checkpoint, message] of [
      [{ ...bad, step: 1.5 }, 'checkpoint: expected step to be a whole number, got 1.5'],
      [{ ...bad, skippedInARow: NaN }, 'checkpoint: expected skippedInARow to be a whole number, got NaN'],
      [{ ...bad, tensors: [f32('x', 1), f32('x', 2)] }, 'safetensors: expected tensor names that are unique'],
    ] as const) {
      await expect(runs.writeCheckpoint('a', checkpoint)).rejects.toThrow(message)
      expect((await runs.readCheckpoint('a')).step).toBe(2)
    }
  })

  test('tell what is wrong with them', async () => {
    const { runs, files } = await withRun()
    const whole = (await files.read('a', CHECKPOINT_FILE))!
    const good = { format: 'trilobite-training', version: '2', step: '2', updates: '1', skippedInARow: '0' }
    const withMetadata = (changes: Record<string, string>) =>
      writeSafetensors([f32('x', 1)], { ...good, ...changes })
    for (const [bytes, message] of [
      [whole.subarray(0, whole.byteLength - 1), 'the file is cut short'],
      [withMetadata({ format: 'pt' }), 'expected the format trilobite-training in __metadata__, got "pt"'],
      [withMetadata({ version: '1' }), 'expected version 2, got 1'],
      [withMetadata({ step: '-1' }), 'expected step to be a whole number in __metadata__, got "-1"'],
      [withMetadata({ updates: '' }), 'expected updates to be a whole number'],
      [withMetadata({ skippedInARow: '0.5' }), 'expected skippedInARow to be a whole number'],
      [
        writeSafetensors([f32('x', 1)]),
        'expected the format trilobite-training in __metadata__, got undefined',
      ],
    ] as const) {
      await files.write('a', CHECKPOINT_FILE, bytes)
      await expect(runs.readCheckpoint('a'), message).rejects.toThrow(CheckpointError)
      await expect(runs.readCheckpoint('a')).rejects.toThrow(message)
      // The list tells the same without reading the tensors.
      expect((await runs.get('a')).problem).toContain(message)
    }
  })
})

describe('a machine that dies', () => {
  const boot = async (last: number, files: RunFiles = new MemoryRuns()) => {
    const dying = new DyingRuns(files, last)
    return { files: dying, moments: () => dying.moments, revive: async () => files }
  }

  test('at any moment leaves the last checkpoint or the one before, and a log that fits', async () => {
    await expectToSurvive(boot)
  })

  test('again at any moment of going on leaves the same', async () => {
    await expectToSurviveTwice(boot)
  })
})
