import { beforeEach, describe, expect, test } from 'vitest'
import { TrainingError } from '../model/errors'
import { expectToSurvive } from '../model/train/testing/deaths'
import { describeRunFiles } from '../model/train/testing/run-files'
import { readLog } from '../model/train/log'
import { Runs } from '../model/train/run-state'
import { Died, f32, someRun, stepRecord } from '../model/train/testing/runs'
import { openOpfsRuns } from './opfs-runs'
import { FakeDisk, FakeFolder } from './testing/opfs'

// On files in memory, which refuse what Chromium was seen to refuse.

let root: FakeFolder
beforeEach(() => {
  root = new FakeFolder()
})
const open = () => openOpfsRuns(root.storage({ usage: 7e6, quota: 9e6 }))

describeRunFiles(open)

describe('in the browser’s own files', () => {
  test('a tab or machine that dies at any moment leaves a run that goes on', async () => {
    await expectToSurvive(async (last) => {
      const disk = new FakeDisk(() => new Died())
      const folder = new FakeFolder(disk)
      const files = await openOpfsRuns(folder.storage())
      disk.moments = 0
      disk.last = last
      return {
        files,
        moments: () => disk.moments,
        async revive() {
          folder.revive()
          return openOpfsRuns(folder.storage())
        },
      }
    }, 3)
  })

  test('a run can be listed and its log read while it is written', async () => {
    const files = await open()
    const writer = new Runs(files)
    await writer.create(someRun, 'a')
    await writer.writeCheckpoint('a', {
      step: 0,
      updates: 0,
      skippedInARow: 0,
      tensors: [f32('w', 1)],
    })
    let isDone = false
    const write = async () => {
      for (let step = 1; step <= 30; step++) {
        // Checkpoints grow: the head of one does not fit the size of the next.
        const tensors = [f32('w', ...new Array<number>(step).fill(step))]
        await writer.writeCheckpoint(
          'a',
          { step, updates: step, skippedInARow: 0, tensors },
          { unwritten: [stepRecord(step)] },
        )
      }
      isDone = true
    }
    // Another tab.
    const reader = new Runs(await open())
    const seen = new Set<number>()
    const read = async () => {
      while (!isDone) {
        const [run] = await reader.list()
        expect(run?.problem).toBeUndefined()
        seen.add(run!.checkpointStep)
        await readLog(files, 'a')
      }
    }
    await Promise.all([write(), read()])
    expect(seen.size).toBeGreaterThan(5)
  })

  test('nothing half stays where there is no room', async () => {
    const files = await open()
    await files.write('a', 'x.bin', Uint8Array.of(1, 2, 3))
    await files.append('a', 'log.jsonl', 'one\n')
    root.disk.mostBytes = 6
    const message =
      'runs: expected room for 1 MB of x.bin, got none beside 7 MB in use of 9 MB that this site may fill; ' +
      'delete runs, or free disk space'
    await expect(files.write('a', 'x.bin', [new Uint8Array(4), new Uint8Array(4)])).rejects.toThrow(message)
    await expect(files.append('a', 'log.jsonl', 'two\n')).rejects.toThrow(TrainingError)
    expect([...(await files.read('a', 'x.bin'))!]).toEqual([1, 2, 3])
    expect(new TextDecoder().decode(await files.read('a', 'log.jsonl'))).toBe('one\n')
    expect([...root.folders.get('trilobite-runs')!.folders.get('a')!.files.keys()]).toEqual([
      'x.bin',
      'log.jsonl',
    ])
  })

  test('a file that another tab writes is an error, and stays as it is', async () => {
    const files = await open()
    await files.write('a', 'x.bin', Uint8Array.of(1))
    root.folders.get('trilobite-runs')!.folders.get('a')!.files.get('x.bin')!.isLocked = true
    const message = /^runs: x\.bin of a cannot be written \(.*\); close other tabs that train it, then go on$/
    for (const change of [
      () => files.write('a', 'x.bin', Uint8Array.of(2)),
      () => files.append('a', 'x.bin', 'x'),
      () => files.truncate('a', 'x.bin', 0),
    ]) {
      await expect(change()).rejects.toThrow(TrainingError)
      await expect(change()).rejects.toThrow(message)
    }
    await expect(files.remove('a')).rejects.toThrow('runs: a cannot be deleted (locked); close other tabs')
    expect([...(await files.read('a', 'x.bin'))!]).toEqual([1])
  })
})
