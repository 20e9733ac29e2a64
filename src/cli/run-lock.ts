import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

const LOCK_FILE = 'lock'
/** A process that was told to end may still be at it. */
const PATIENCE_MS = 5000
const POLL_MS = 100

/**
 * Keeps other processes from training the run in a folder, until the returned function is called; undefined where one
 * does and does not end within `patienceMs`. The lock of a process that is gone counts for nothing.
 */
export async function lockFolder(
  folder: string,
  patienceMs = PATIENCE_MS,
): Promise<(() => void) | undefined> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, LOCK_FILE)
  const giveUpAt = performance.now() + patienceMs
  for (;;) {
    try {
      // Fails where the file is there already, so that of two processes one gets it.
      const file = await open(path, 'wx')
      await file.writeFile(String(process.pid))
      await file.close()
      return () => void rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (await isHeld(path)) {
        if (performance.now() > giveUpAt) return undefined
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      } else {
        await rm(path, { force: true })
      }
    }
  }
}

async function isHeld(path: string): Promise<boolean> {
  const owner = Number(await readFile(path, 'utf8').catch(() => ''))
  if (!Number.isInteger(owner) || owner <= 0 || owner === process.pid) return false
  try {
    process.kill(owner, 0)
    return true
  } catch (error) {
    // Somebody else's process may not be signalled, but it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
