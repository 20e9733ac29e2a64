import { readFileSync } from 'node:fs'

/** Often enough to see a chunk of weights pass by, seldom enough to cost nothing. */
const SAMPLE_MS = 10

/**
 * Memory of this process that the host itself uses, in bytes. On Linux shared memory is left out: lavapipe keeps
 * its GPU buffers there. SwiftShader's GPU buffers are ordinary memory and therefore count.
 */
export function hostBytes(): number {
  if (process.platform === 'linux') {
    const status = readFileSync('/proc/self/status', 'utf8')
    const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN)
    const sum = (kib('RssAnon') + kib('RssFile')) * 1024
    if (Number.isFinite(sum)) return sum
  }
  return process.memoryUsage.rss()
}

/** Watches `hostBytes` until it is stopped; `peakBytes` is the highest value seen. */
export class HostMemoryMeter {
  peakBytes = hostBytes()
  private readonly timer = setInterval(() => this.sample(), SAMPLE_MS).unref()

  sample(): number {
    this.peakBytes = Math.max(this.peakBytes, hostBytes())
    return this.peakBytes
  }

  stop(): void {
    clearInterval(this.timer)
    this.sample()
  }
}
