import { sizeBytes, type Dtype, type Tensor } from '../tensor'
import type { Gpu } from './device'

const STORAGE = 0x80 | 0x04 | 0x08 // STORAGE | COPY_SRC | COPY_DST

/** A tensor in a buffer of its own: weights and caches. Freed by `gpu.destroyBuffer(tensor.buffer)`. */
export function createTensor(
  gpu: Gpu,
  label: string,
  shape: readonly number[],
  dtype: Dtype = 'f32',
): Tensor {
  return { shape, dtype, buffer: gpu.createBuffer(label, sizeBytes(shape, dtype), STORAGE), offset: 0 }
}

/** A tensor filled from the host. */
export function uploadTensor(
  gpu: Gpu,
  label: string,
  shape: readonly number[],
  data: Float32Array | Uint32Array | Int32Array,
  dtype: Dtype = data instanceof Float32Array ? 'f32' : data instanceof Int32Array ? 'i32' : 'u32',
): Tensor {
  const tensor = createTensor(gpu, label, shape, dtype)
  gpu.device.queue.writeBuffer(tensor.buffer, 0, data as Float32Array<ArrayBuffer>)
  return tensor
}

/** Left over from steps of other sizes, and not worth making buffers anew for. */
const LEFTOVER_BYTES = 64 * 2 ** 20

/**
 * Buffers for activations, reused from step to step.
 *
 * Sizes are rounded up to a few classes so that a buffer given back fits the next request of about its size, and a
 * repeated step gets the very same buffers (bind groups then come from the cache).
 */
export class Arena {
  private readonly free = new Map<number, GPUBuffer[]>()
  private readonly sizes = new Map<GPUBuffer, number>()
  private usedBytes = 0
  private mostUsedBytes = 0

  constructor(private readonly gpu: Gpu) {}

  take(label: string, bytes: number): GPUBuffer {
    const size = sizeClass(bytes)
    this.usedBytes += size
    this.mostUsedBytes = Math.max(this.mostUsedBytes, this.usedBytes)
    const free = this.free.get(size)
    for (let buffer = free?.pop(); buffer; buffer = free?.pop()) {
      if (this.gpu.isAlive(buffer)) return buffer
      this.sizes.delete(buffer) // there was no memory for it
    }
    const made = this.gpu.createBuffer(`arena ${size} (${label})`, size, STORAGE)
    this.sizes.set(made, size)
    return made
  }

  give(buffer: GPUBuffer): void {
    const size = this.sizes.get(buffer)
    if (size === undefined) throw new Error(`arena: buffer "${buffer.label}" is not of this arena`)
    this.usedBytes -= size
    const list = this.free.get(size)
    if (list) list.push(buffer)
    else this.free.set(size, [buffer])
  }

  /** Bytes of all its buffers, in use or not. */
  get totalBytes(): number {
    let total = 0
    for (const size of this.sizes.values()) total += size
    return total
  }

  /**
   * Frees the buffers nobody uses where steps of many sizes have left far more of them than the last few ever needed at
   * once: since the last call.
   */
  trimLeftovers(): void {
    const { totalBytes, mostUsedBytes } = this
    this.mostUsedBytes = this.usedBytes
    if (totalBytes > 1.5 * mostUsedBytes && totalBytes - mostUsedBytes > LEFTOVER_BYTES) this.trim()
  }

  /** Frees the buffers nobody uses, as after a long prompt. */
  trim(): void {
    for (const list of this.free.values()) {
      for (const buffer of list) {
        this.sizes.delete(buffer)
        this.gpu.destroyBuffer(buffer)
      }
    }
    this.free.clear()
  }

  /** Frees all of it. */
  destroy(): void {
    for (const buffer of this.sizes.keys()) this.gpu.destroyBuffer(buffer)
    this.sizes.clear()
    this.free.clear()
    this.usedBytes = 0
  }
}

/** The next of 1, 1.25, 1.5 or 1.75 times a power of two: at most 25 % is wasted. */
export function sizeClass(bytes: number): number {
  const least = Math.max(256, bytes)
  const power = 2 ** Math.floor(Math.log2(least))
  for (const quarter of [4, 5, 6, 7, 8]) {
    const size = (power * quarter) / 4
    if (size >= least) return Math.ceil(size / 16) * 16
  }
  return power * 2
}
