import fc from 'fast-check'
import { getHeapStatistics } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { TrilobiteError } from '../../../kernels/errors'

/** A reader of bytes or values that may come from anywhere. */
export interface Target<T = unknown> {
  readonly name: string
  readonly inputs: fc.Arbitrary<T>
  /** Inputs in a run of CI's length. */
  readonly runs: number
  readonly read: (input: T) => unknown
  /** Memory that one input may take, MiB. Default: 64. */
  readonly maxMemory?: number
}

export interface Budget {
  readonly seed: number
  /** Inputs of this target. */
  readonly runs: number
}

/** One input's CPU time, ms: other processes do not count. */
const MAX_MS = 2000
/** A reader that holds the thread this long never comes back. */
const HANG_MS = 15_000
const MAX_MESSAGE = 3000

/**
 * Gives a reader inputs near well-formed ones. Each has to give a value, or throw a TrilobiteError whose message says what
 * to do, within time and memory; the first that does not is shrunk and reported.
 *
 * Returns: how many inputs were read.
 */
export async function fuzz<T>(target: Target<T>, { seed, runs }: Budget): Promise<number> {
  const { name, inputs, read, maxMemory = 64 } = target
  let count = 0
  using watch = watchdog(`${name} with seed ${seed}`)
  await fc.assert(
    fc.asyncProperty(inputs, async (input) => {
      count++
      watch.tick()
      const memory = usedMemory()
      const begun = process.cpuUsage()
      try {
        const value = read(input)
        if (value instanceof Promise) await value
      } catch (error) {
        checkError(error)
      }
      const { user, system } = process.cpuUsage(begun)
      const elapsedMs = (user + system) / 1000
      if (elapsedMs > MAX_MS) throw new Error(`took ${Math.round(elapsedMs)} ms`)
      const taken = (usedMemory() - memory) / 2 ** 20
      if (taken > maxMemory) throw new Error(`took ${Math.round(taken)} MiB`)
    }),
    { seed, numRuns: runs, ignoreEqualValues: false, interruptAfterTimeLimit: 3_600_000 },
  )
  return count
}

function checkError(error: unknown): void {
  if (!(error instanceof TrilobiteError)) throw error
  const { name, message } = error
  if (name === 'TrilobiteError' || message.length < 10 || message.length > MAX_MESSAGE) {
    throw new Error(`expected a message for people, got ${name} of ${message.length} characters`, {
      cause: error,
    })
  }
}

function usedMemory(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}

/** Ends the process where an input holds the thread for good, which no timer of the same thread could tell. */
function watchdog(what: string): Disposable & { tick(): void } {
  const ticks = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(
    `const { workerData: { ticks, what, ms } } = require('node:worker_threads')
     let last = -1
     setInterval(() => {
       if (ticks[0] === last) {
         require('node:fs').writeSync(2, 'fuzz: ' + what + ': input ' + last + ' never ends\\n')
         process.kill(process.pid, 'SIGKILL')
       }
       last = ticks[0]
     }, ms)`,
    { eval: true, workerData: { ticks, what, ms: HANG_MS } },
  )
  worker.unref()
  return {
    tick: () => void Atomics.add(ticks, 0, 1),
    [Symbol.dispose]: () => void worker.terminate(),
  }
}
