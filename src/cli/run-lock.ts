import { randomUUID } from 'node:crypto'
import { readFileSync, rmdirSync, rmSync } from 'node:fs'
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { TrainingError } from '../model/errors'

const LOCK_FILE = 'lock'
/** A process that was told to end may still be at it. */
const PATIENCE_MS = 5000
const POLL_MS = 100

/** Who has a folder. */
interface Owner {
  readonly pid: number
  /** When that process began, as `startOf` has it: its number alone may be another's by now. */
  readonly started?: string | undefined
  /** Tells one lock from the next. */
  readonly id: string
}

/**
 * Keeps other processes from training the run in a folder, until the returned function is called or this process ends. The
 * lock of a process that is gone counts for nothing. A folder that was made for it goes with it where nothing came into it.
 *
 * Throws: TrainingError where another process has the folder and does not end within `patienceMs`.
 */
export async function lockFolder(folder: string, patienceMs = PATIENCE_MS): Promise<() => void> {
  const isNew = (await mkdir(folder, { recursive: true })) !== undefined
  const path = join(resolve(folder), LOCK_FILE)
  const giveUpAt = performance.now() + patienceMs
  const own: Owner = { pid: process.pid, started: startOf(process.pid), id: randomUUID() }
  for (;;) {
    if (await take(path, own)) return releaser(path, own, isNew ? folder : undefined)
    const owner = await ownerOf(path)
    if (!owner || !isAlive(owner)) await rm(path, { force: true })
    else if (performance.now() < giveUpAt) await new Promise((done) => setTimeout(done, POLL_MS))
    else {
      throw new TrainingError(
        `train: process ${owner.pid} is training in ${folder}. End it first (Ctrl+C there), or choose another --out. ` +
          `If it is no process of this program, delete ${path}`,
      )
    }
  }
}

/** Returns: whether the lock is this process's now. */
async function take(path: string, own: Owner): Promise<boolean> {
  try {
    // Fails where the file is there already, so that of two processes one gets it.
    const file = await open(path, 'wx')
    await file.writeFile(JSON.stringify(own))
    await file.close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw new TrainingError(`train: ${path} cannot be written (${(error as Error).message})`)
  }
  // Another process may have been about to remove the lock of one that is gone, and have met this one.
  await new Promise((done) => setTimeout(done, POLL_MS))
  return (await ownerOf(path))?.id === own.id
}

function releaser(path: string, own: Owner, made: string | undefined): () => void {
  const release = () => {
    process.off('exit', release)
    if (parse(readText(path))?.id === own.id) rmSync(path, { force: true })
    try {
      if (made !== undefined) rmdirSync(made)
    } catch {
      // It holds something, as it should.
    }
  }
  process.on('exit', release)
  return release
}

const ownerOf = async (path: string) => parse(await readFile(path, 'utf8').catch(() => ''))

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function parse(text: string): Owner | undefined {
  try {
    const { pid, started, id } = JSON.parse(text) as Partial<Owner>
    if (!Number.isInteger(pid) || pid! <= 0 || typeof id !== 'string') return undefined
    return { pid: pid!, started, id }
  } catch {
    return undefined
  }
}

function isAlive({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // Somebody else's process may not be signalled, but it is there.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const now = startOf(pid)
  return started === undefined || now === undefined || started === now
}

/**
 * When a process began, told so that no other process of this number has the same; undefined where the system does not say.
 *
 * Source: proc(5), field 22 of /proc/PID/stat (ticks since the machine was booted) behind the command in parentheses.
 */
function startOf(pid: number): string | undefined {
  const behindCommand = readText(`/proc/${pid}/stat`).split(') ').at(-1)!
  const ticks = behindCommand.split(' ')[19]
  return ticks === undefined ? undefined : `${readText('/proc/sys/kernel/random/boot_id').trim()} ${ticks}`
}
