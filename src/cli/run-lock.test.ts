import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockFolder } from './run-lock'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trilobite-lock-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const hold = (pid: number | string) => writeFileSync(join(folder, 'lock'), String(pid))

test('a folder that is not there yet is locked, and free again after release', async () => {
  const inner = join(folder, 'run')
  const release = await lockFolder(inner)
  expect(release).toBeDefined()
  release!()
  expect(await lockFolder(inner)).toBeDefined()
})

test('a living process keeps it, a dead one does not', async () => {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  await new Promise((resolve) => other.once('spawn', resolve))
  hold(other.pid!)
  expect(await lockFolder(folder, 150)).toBeUndefined()
  // One that is about to end is waited for.
  const waiting = lockFolder(folder)
  const gone = new Promise((resolve) => other.once('exit', resolve))
  other.kill('SIGKILL')
  await gone
  expect(await waiting).toBeDefined()
})

test.each(['', 'not a number', '-1'])('a lock file that says %o is nobody’s', async (text) => {
  hold(text)
  expect(await lockFolder(folder)).toBeDefined()
})
