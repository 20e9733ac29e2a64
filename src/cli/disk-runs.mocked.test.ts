import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { TrainingError } from '../model/errors'
import { Runs } from '../model/train/run-state'
import { expectToSurvive } from '../model/train/testing/deaths'
import { describeRunFiles } from '../model/train/testing/run-files'
import { Died, f32, someRun } from '../model/train/testing/runs'
import { DiskRuns, ONLY_RUN } from './disk-runs'

/** When the process dies: after so many moments of changing something on the disk. */
const life = vi.hoisted(() => ({ moments: 0, last: Infinity, full: false, syncs: true, blank: false }))

vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof import('node:fs/promises')>()
  const moment = () => {
    life.moments++
    if (life.moments > life.last) throw new Died()
  }
  const mortal = (file: FileHandle) =>
    new Proxy(file, {
      get(target, key) {
        if (key === 'write') {
          // In two halves, and after the first one the disk may be full.
          return async (bytes: Uint8Array, at: number, length: number) => {
            moment()
            const part = Math.min(length, Math.ceil(bytes.byteLength / 2))
            if (life.full && at > 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
            return target.write(bytes, at, part)
          }
        }
        if (key === 'read' && life.blank) {
          // What Node's own does with a length of 2 GiB and more, and no time for the bytes.
          return async (_bytes: Uint8Array, _at: number, length: number) => {
            if (length >= 2 ** 31) throw new RangeError(`length is ${length}`)
            return { bytesRead: length }
          }
        }
        if (key === 'truncate' || key === 'sync') {
          return async (...args: []) => {
            moment()
            // Hundreds of them would take the disk half a minute.
            if (key !== 'sync' || life.syncs) await target[key](...args)
          }
        }
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  return {
    ...fs,
    open: async (...args: Parameters<typeof fs.open>) => {
      if (args[1] !== undefined && args[1] !== 'r') moment()
      return mortal(await fs.open(...args))
    },
    rename: async (from: string, to: string) => {
      moment()
      await fs.rename(from, to)
      moment()
    },
    rm: async (...args: Parameters<typeof fs.rm>) => {
      moment()
      await fs.rm(...args)
    },
  }
})

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trilobite-runs-'))
})
afterEach(async () => {
  life.last = Infinity
  life.full = false
  life.syncs = true
  life.blank = false
  await rm(folder, { recursive: true, force: true })
})

describeRunFiles(async () => new DiskRuns(join(folder, 'deep', 'runs')))

describe('on disk', () => {
  test('a process that dies at any moment leaves a run that goes on', async () => {
    life.syncs = false
    let boots = 0
    await expectToSurvive(async (last) => {
      const own = join(folder, String(boots++))
      life.moments = 0
      life.last = last
      return {
        files: new DiskRuns(own),
        moments: () => life.moments,
        async revive() {
          life.last = Infinity
          return new DiskRuns(own)
        },
      }
    }, 3)
  })

  test('files of more than 2 GiB are read, in part and whole', async () => {
    const files = new DiskRuns(folder)
    const sizeBytes = 2 ** 31 + 2 ** 30 + 5
    await files.write('a', 'x.bin', Uint8Array.of(1))
    const file = await open(join(folder, 'a', 'x.bin'), 'r+')
    await file.truncate(sizeBytes - 2)
    await file.close()
    await files.append('a', 'x.bin', 'ab')
    expect(await files.size('a', 'x.bin')).toBe(sizeBytes)
    const end = (await files.read('a', 'x.bin', { start: sizeBytes - 3 }))!
    expect([...end]).toEqual([0, 97, 98])
    life.blank = true
    expect((await files.read('a', 'x.bin'))!.byteLength).toBe(sizeBytes)
  })

  test('nothing half stays where there is no room', async () => {
    const files = new DiskRuns(folder)
    await files.write('a', 'x.bin', Uint8Array.of(1, 2, 3))
    await files.append('a', 'log.jsonl', 'one\n')
    life.full = true
    const message = /^runs: .*x\.bin cannot be written \(no space left\); free disk space, then go on$/
    await expect(files.write('a', 'x.bin', new Uint8Array(8))).rejects.toThrow(message)
    await expect(files.append('a', 'log.jsonl', 'two\n')).rejects.toThrow(TrainingError)
    life.full = false
    expect([...(await files.read('a', 'x.bin'))!]).toEqual([1, 2, 3])
    expect(new TextDecoder().decode(await files.read('a', 'log.jsonl'))).toBe('one\n')
    expect((await readdir(join(folder, 'a'))).sort()).toEqual(['log.jsonl', 'x.bin'])
  })

  test('a folder can be one run, among other files that stay', async () => {
    await writeFile(join(folder, 'notes.txt'), 'mine')
    const files = new DiskRuns(folder, { only: true })
    expect(await files.runs()).toEqual([])
    const runs = new Runs(files)
    await runs.create(someRun, ONLY_RUN)
    await runs.writeCheckpoint(ONLY_RUN, {
      step: 0,
      updates: 0,
      skippedInARow: 0,
      tensors: [f32('w', 1)],
    })
    expect((await readdir(folder)).sort()).toEqual(['checkpoint.safetensors', 'notes.txt', 'run.json'])
    expect(await new Runs(new DiskRuns(folder, { only: true })).list()).toMatchObject([
      { id: ONLY_RUN, state: 'paused' },
    ])
    await expect(files.read('other', 'run.json')).rejects.toThrow('runs: expected run, the only run of')
    await runs.remove(ONLY_RUN)
    expect(await readdir(folder)).toEqual(['notes.txt'])
    expect(await runs.list()).toEqual([])
  })

  test('a file in place of the folder is told', async () => {
    await writeFile(join(folder, 'out'), '')
    const files = new DiskRuns(join(folder, 'out'), { only: true })
    await expect(files.write(ONLY_RUN, 'run.json', new Uint8Array(1))).rejects.toThrow(TrainingError)
  })
})
