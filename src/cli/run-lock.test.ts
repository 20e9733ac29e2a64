import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TrainingError } from '../model/errors'
import { lockFolder } from './run-lock'

let folder: string
let others: ChildProcess[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trilobite-lock-'))
  others = []
})
afterEach(() => {
  for (const other of others) other.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const path = () => join(folder, 'lock')
const hold = (owner: unknown) =>
  writeFileSync(path(), typeof owner === 'string' ? owner : JSON.stringify(owner))

async function otherProcess(): Promise<ChildProcess> {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  others.push(other)
  await new Promise((resolve) => other.once('spawn', resolve))
  return other
}

test('a folder is locked, and free again after release', async () => {
  const release = await lockFolder(folder)
  expect(existsSync(path())).toBe(true)
  await expect(lockFolder(folder, 0)).rejects.toThrow(TrainingError)
  release()
  expect(readdirSync(folder)).toEqual([])
  ;(await lockFolder(folder, 0))()
})

test('a folder that is not there yet is made, and stays where something came into it', async () => {
  const inner = join(folder, 'a', 'run')
  ;(await lockFolder(inner))()
  expect(existsSync(inner)).toBe(false)
  const release = await lockFolder(inner)
  writeFileSync(join(inner, 'run.json'), '')
  release()
  expect(readdirSync(inner)).toEqual(['run.json'])
})

test('a living process keeps it, and the error names both; a dead one does not', async () => {
  const other = await otherProcess()
  hold({ pid: other.pid, id: 'x' })
  await expect(lockFolder(folder, 150)).rejects.toThrow(
    `train: process ${other.pid} is training in ${folder}. End it first (Ctrl+C there), or choose another --out. ` +
      `If it is no process of this program, delete ${path()}`,
  )
  // One that is about to end is waited for.
  const waiting = lockFolder(folder)
  const gone = new Promise((resolve) => other.once('exit', resolve))
  other.kill('SIGKILL')
  await gone
  ;(await waiting)()
})

test.runIf(process.platform === 'linux')(
  'a process that has the number of one that is gone does not keep it',
  async () => {
    const other = await otherProcess()
    hold({ pid: other.pid, started: 'some boot 12', id: 'x' })
    ;(await lockFolder(folder, 0))()
    // As in a container, where this program always gets the same number.
    hold({ pid: process.pid, started: 'some boot 12', id: 'x' })
    ;(await lockFolder(folder, 0))()
  },
)

test('of two that come at once, to a lock that was left behind, one gets it', async () => {
  for (let round = 0; round < 5; round++) {
    hold({ pid: 2 ** 30, id: 'left behind' })
    const came = await Promise.allSettled(Array.from({ length: 4 }, () => lockFolder(folder, 0)))
    const got = came.filter((result) => result.status === 'fulfilled')
    expect(got).toHaveLength(1)
    got[0]!.value()
  }
})

test('release leaves the lock of the next one', async () => {
  const release = await lockFolder(folder)
  hold({ pid: process.pid, id: 'another' })
  release()
  expect(readFileSync(path(), 'utf8')).toContain('another')
})

test.each(['', 'not a number', '-1', '{"pid":-1,"id":"x"}', '{"pid":1}'])(
  'a lock file that says %o is nobody’s',
  async (text) => {
    hold(text)
    ;(await lockFolder(folder, 0))()
  },
)
