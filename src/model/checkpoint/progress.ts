/** How far a load is. All files and bytes are those that are fetched: files nobody wants are not counted. */
export interface StreamProgress {
  file: string
  /** From 0. */
  fileIndex: number
  fileCount: number
  fileDoneBytes: number
  fileTotalBytes: number
  doneBytes: number
  totalBytes: number
  /** Smoothed. 0 until it is known. */
  bytesPerSecond: number
  /** Infinity until the speed is known. */
  secondsLeft: number
  /** True where all bytes so far came from what this device keeps. */
  cached?: boolean
}

/** At most ten reports a second, and one for each file that begins or ends. */
const REPORT_EVERY_MS = 100

/** The speed shown follows a change within about this time. */
const SMOOTHING_MS = 3000

/** Turns bytes as they come into reports that are few enough to show. */
export class ProgressMeter {
  readonly #onProgress: (progress: StreamProgress) => void
  readonly #now: () => number
  readonly #files: readonly { path: string; bytes: number }[]
  readonly #totalBytes: number
  /** Of each file begun so far. */
  readonly #doneBytesOf: number[] = []
  #doneBytes = 0
  #bytesPerMs = 0
  /** Smoothing weight of all samples so far: below 1 at first, so that early speeds are not drawn towards 0. */
  #sampleWeight = 0
  #reportedAt: number | undefined
  #reportedBytes = 0

  constructor(
    files: readonly { path: string; bytes: number }[],
    onProgress: (progress: StreamProgress) => void,
    now: () => number,
  ) {
    this.#files = files
    this.#totalBytes = files.reduce((sum, file) => sum + file.bytes, 0)
    this.#onProgress = onProgress
    this.#now = now
  }

  /** Files are begun in their order. One that is begun anew counts from 0 again. */
  startFile(index: number): void {
    this.#doneBytes -= this.#doneBytesOf[index] ?? 0
    this.#reportedBytes = Math.min(this.#reportedBytes, this.#doneBytes)
    this.#doneBytesOf[index] = 0
    this.#report(this.#current() === index)
  }

  add(index: number, bytes: number): void {
    this.#doneBytesOf[index]! += bytes
    this.#doneBytes += bytes
    // Another file is shown from now on, and its first bytes may be long in coming.
    this.#report(this.#doneBytesOf[index] === this.#files[index]!.bytes)
  }

  /** The first file that is not done yet, of those begun. */
  #current(): number {
    const index = this.#doneBytesOf.findIndex((bytes, i) => bytes < this.#files[i]!.bytes)
    return index < 0 ? this.#doneBytesOf.length - 1 : index
  }

  #report(isDue: boolean): void {
    const now = this.#now()
    const elapsedMs = now - (this.#reportedAt ?? now)
    if (!isDue && elapsedMs < REPORT_EVERY_MS) return
    if (elapsedMs > 0) {
      const keep = Math.exp(-elapsedMs / SMOOTHING_MS)
      const speed = (this.#doneBytes - this.#reportedBytes) / elapsedMs
      this.#bytesPerMs = keep * this.#bytesPerMs + (1 - keep) * speed
      this.#sampleWeight = keep * this.#sampleWeight + (1 - keep)
      this.#reportedBytes = this.#doneBytes
    }
    this.#reportedAt = now
    const bytesPerSecond = this.#sampleWeight > 0 ? (1000 * this.#bytesPerMs) / this.#sampleWeight : 0
    const leftBytes = this.#totalBytes - this.#doneBytes
    const fileIndex = this.#current()
    const file = this.#files[fileIndex]!
    this.#onProgress({
      file: file.path,
      fileIndex,
      fileCount: this.#files.length,
      fileDoneBytes: this.#doneBytesOf[fileIndex]!,
      fileTotalBytes: file.bytes,
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond,
      secondsLeft: leftBytes === 0 ? 0 : bytesPerSecond > 0 ? leftBytes / bytesPerSecond : Infinity,
    })
  }
}
