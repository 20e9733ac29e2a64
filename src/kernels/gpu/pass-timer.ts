import type { Gpu } from './device'
import { mapOrLost } from './encoder'
import type { KernelTime } from './profiler'

/** Passes whose timestamps are resolved together. */
const BATCH_PASSES = 256
const QUERY_BYTES = 8

interface Batch {
  readonly querySet: GPUQuerySet
  readonly resolved: GPUBuffer
  readonly staging: GPUBuffer
  /** Where the time of each pass goes. */
  readonly rows: KernelTime[]
}

/** Times compute passes by timestamp queries. Browsers round them, to 0.1 ms at worst: sums of many passes are sound. */
export class PassTimer {
  private readonly all: Batch[] = []
  private readonly free: Batch[] = []
  /** Of command encoders that were not submitted yet. */
  private readonly open = new Map<GPUCommandEncoder, Batch[]>()
  private readonly reading = new Set<Promise<void>>()

  constructor(private readonly gpu: Gpu) {}

  /** The timestamps of the next pass of these commands, whose time is added to `row`. */
  writes(commands: GPUCommandEncoder, row: KernelTime): GPUComputePassTimestampWrites {
    const batches = this.open.get(commands) ?? []
    this.open.set(commands, batches)
    let batch = batches.at(-1)
    if (!batch || batch.rows.length === BATCH_PASSES) batches.push((batch = this.free.pop() ?? this.make()))
    const end = 2 * batch.rows.push(row) - 1
    return { querySet: batch.querySet, beginningOfPassWriteIndex: end - 1, endOfPassWriteIndex: end }
  }

  /** Records what brings the timestamps to the host; the last of these commands. */
  resolve(commands: GPUCommandEncoder): void {
    for (const { querySet, resolved, staging, rows } of this.open.get(commands) ?? []) {
      commands.resolveQuerySet(querySet, 0, 2 * rows.length, resolved, 0)
      commands.copyBufferToBuffer(resolved, 0, staging, 0, 2 * rows.length * QUERY_BYTES)
    }
  }

  /** Begins to read the timestamps of commands that were just submitted. */
  submitted(commands: GPUCommandEncoder): void {
    for (const batch of this.open.get(commands) ?? []) {
      const reading = this.read(batch)
      reading.catch(() => {}) // settle() tells
      this.reading.add(reading)
    }
    this.open.delete(commands)
  }

  private async read(batch: Batch): Promise<void> {
    await mapOrLost(this.gpu, batch.staging)
    const nanoseconds = new BigUint64Array(batch.staging.getMappedRange())
    for (const [i, row] of batch.rows.entries()) {
      // A clock that was set back between the two gives nothing rather than less than nothing.
      row.ms += Math.max(0, Number(nanoseconds[2 * i + 1]! - nanoseconds[2 * i]!)) / 1e6
    }
    batch.staging.unmap()
    batch.rows.length = 0
    this.free.push(batch)
  }

  /** Waits for the timestamps of everything submitted. Throws: as `Gpu.check`. */
  async settle(): Promise<void> {
    try {
      await Promise.all(this.reading)
    } finally {
      await this.gpu.check()
    }
  }

  private make(): Batch {
    const { gpu } = this
    const bytes = 2 * BATCH_PASSES * QUERY_BYTES
    const batch: Batch = {
      querySet: gpu.device.createQuerySet({ type: 'timestamp', count: 2 * BATCH_PASSES }),
      resolved: gpu.createBuffer('timestamps', bytes, 0x200 | 0x04), // QUERY_RESOLVE | COPY_SRC
      staging: gpu.createBuffer('timestamps readback', bytes, 0x01 | 0x08), // MAP_READ | COPY_DST
      rows: [],
    }
    this.all.push(batch)
    return batch
  }

  destroy(): void {
    for (const { querySet, resolved, staging } of this.all.splice(0)) {
      querySet.destroy()
      this.gpu.destroyBuffer(resolved)
      this.gpu.destroyBuffer(staging)
    }
  }
}
