import { Arena, Encoder } from '../../src/kernels'
import type { Bench } from './subject'

/** Time of one kernel over a profiled run. */
export interface KernelTime {
  readonly kernel: string
  readonly dispatches: number
  readonly ms: number
  /** Of the process: on software adapters the kernel's own. Unknown in a page. */
  readonly cpuMs: number
  /** Multiply-adds times two that were declared; 0 for kernels that declare none. */
  readonly flops: number
}

/** One operation of an encoder as it was recorded; played again it does the same on the same buffers. */
interface Operation {
  readonly name: string
  readonly flops: number
  play(enc: Encoder): void
}

/** Tells of every operation of whatever encoder while `run` lasts; all take place nevertheless. */
async function watching(recorded: (operation: Operation) => void, run: () => unknown): Promise<void> {
  const { dispatch, copy, clear, upload } = Encoder.prototype
  const record = (enc: Encoder, operation: Operation) => {
    operation.play(enc)
    recorded(operation)
  }
  Encoder.prototype.dispatch = function (this: Encoder, variant, tensors, params, options) {
    const play = (enc: Encoder) => dispatch.call(enc, variant as never, tensors, params, options)
    record(this, { name: variant.key, flops: options.flops ?? 0, play })
  }
  Encoder.prototype.copy = function (this: Encoder, ...args) {
    record(this, { name: 'copy', flops: 0, play: (enc) => copy.apply(enc, args) })
  }
  Encoder.prototype.clear = function (this: Encoder, tensor) {
    record(this, { name: 'clear', flops: 0, play: (enc) => clear.call(enc, tensor) })
  }
  Encoder.prototype.upload = function (this: Encoder, to, data) {
    const kept = data.slice()
    record(this, { name: 'upload', flops: 0, play: (enc) => upload.call(enc, to, kept) })
  }
  try {
    await run()
  } finally {
    Object.assign(Encoder.prototype, { dispatch, copy, clear, upload })
  }
}

/** Dispatches that `run` records. */
export async function countDispatches(run: () => unknown): Promise<number> {
  let count = 0
  await watching(({ name }) => (count += Number(name.includes('['))), run)
  return count
}

/**
 * Runs something once, then plays its operations again one by one, each with a submit and a wait of its own: compare
 * shares and not sums, for that costs a fraction of a millisecond an operation. Needs no timestamp queries.
 *
 * Returns: the kernels that `run` used, slowest first.
 */
export async function profile({ gpu, cpuMs }: Bench, run: () => Promise<void>): Promise<KernelTime[]> {
  const operations: Operation[] = []
  const destroyed: GPUBuffer[] = []
  const destroy = gpu.destroyBuffer.bind(gpu)
  const times = new Map<string, { -readonly [name in keyof KernelTime]: KernelTime[name] }>()
  try {
    // What is destroyed behind a step is still needed.
    gpu.destroyBuffer = (buffer) => void destroyed.push(buffer)
    await watching((operation) => operations.push(operation), run)
    await gpu.finish()
    const enc = new Encoder(gpu, new Arena(gpu), 'profile')
    for (const { name, flops, play } of operations) {
      const [started, cpuStarted] = [performance.now(), cpuMs()]
      play(enc)
      enc.submit()
      await gpu.finish()
      const entry = times.get(name) ?? { kernel: name, dispatches: 0, ms: 0, cpuMs: 0, flops: 0 }
      times.set(name, entry)
      entry.dispatches++
      entry.ms += performance.now() - started
      entry.cpuMs += cpuMs() - cpuStarted
      entry.flops += flops
    }
  } finally {
    gpu.destroyBuffer = destroy
    for (const buffer of destroyed) destroy(buffer)
  }
  const measure = gpu.caps.isSoftware && !Number.isNaN(cpuMs()) ? 'cpuMs' : 'ms'
  return [...times.values()].sort((a, b) => b[measure] - a[measure])
}
