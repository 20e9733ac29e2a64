/**
 * The origin's private files as browsers have them, in memory: names, folders, locks and moves. The browser's own are
 * tried in e2e/.
 */

const missing = () => new DOMException('not found', 'NotFoundError')
const locked = () => new DOMException('locked', 'NoModificationAllowedError')

/** What all folders of a disk share. */
export class FakeDisk {
  /** Of one file; writing stops there. */
  mostBytes = Infinity
  movesFail = false
  /** Moments of changing something so far, and the last one that is lived to see. */
  moments = 0
  last = Infinity

  constructor(private readonly death: () => Error = () => new Error('dead')) {}

  moment(): void {
    this.moments++
    this.alive()
  }

  alive(): void {
    if (this.moments > this.last) throw this.death()
  }
}

interface FakeFile {
  bytes: Uint8Array<ArrayBuffer>
  isLocked: boolean
  /** Milliseconds since 1970; default: now. */
  lastModified?: number
}

export class FakeFolder {
  readonly kind = 'directory'
  readonly files = new Map<string, FakeFile>()
  readonly folders = new Map<string, FakeFolder>()

  constructor(readonly disk = new FakeDisk()) {}

  /** As StorageManager, with this folder as the root. */
  storage(estimate: StorageEstimate = {}): StorageManager {
    return { getDirectory: async () => this, estimate: async () => estimate } as unknown as StorageManager
  }

  /** A machine that starts anew holds no locks. */
  revive(): void {
    this.disk.last = Infinity
    for (const file of this.files.values()) file.isLocked = false
    for (const folder of this.folders.values()) folder.revive()
  }

  async *keys() {
    yield* [...this.folders.keys(), ...this.files.keys()]
  }

  async *entries() {
    yield* this.folders
    for (const name of this.files.keys()) yield [name, { kind: 'file' }] as const
  }

  async removeEntry(name: string, { recursive = false } = {}) {
    this.disk.moment()
    const folder = this.folders.get(name)
    if (folder) {
      if (!recursive && folder.files.size > 0) throw new DOMException('not empty', 'InvalidModificationError')
      if ([...folder.files.values()].some(({ isLocked }) => isLocked)) throw locked()
      for (const file of folder.files.keys()) {
        folder.files.delete(file)
        this.disk.moment()
      }
      this.folders.delete(name)
      return
    }
    if (this.files.get(name)?.isLocked) throw locked()
    if (!this.files.delete(name)) throw missing()
  }

  async getDirectoryHandle(name: string, { create = false } = {}): Promise<FakeFolder> {
    this.disk.alive()
    if (create && !this.folders.has(name)) {
      this.disk.moment()
      this.folders.set(name, new FakeFolder(this.disk))
    }
    const folder = this.folders.get(name)
    if (!folder) throw missing()
    return folder
  }

  async getFileHandle(name: string, { create = false } = {}) {
    this.disk.alive()
    if (create && !this.files.has(name)) {
      this.disk.moment()
      this.files.set(name, { bytes: new Uint8Array(), isLocked: false })
    }
    const file = this.files.get(name)
    if (!file) throw missing()
    return {
      kind: 'file',
      getFile: async () => {
        const { bytes } = file
        const isSame = () => file.bytes === bytes && this.files.get(name) === file
        return Object.assign(new Snapshot(bytes, isSame), { lastModified: file.lastModified ?? Date.now() })
      },
      createSyncAccessHandle: async () => {
        if (file.isLocked) throw locked()
        file.isLocked = true
        return new FakeAccess(file, this.disk)
      },
      move: async (to: string) => {
        this.disk.moment()
        if (this.disk.movesFail || this.files.get(to)?.isLocked)
          throw new DOMException('in use', locked().name)
        this.files.delete(name)
        this.files.set(to, file)
        this.disk.moment()
      },
    }
  }
}

/** A file as it was: once it has been changed or replaced it cannot be read, as in Chromium. */
class Snapshot extends Blob {
  constructor(
    private readonly content: Uint8Array<ArrayBuffer>,
    private readonly isSame: () => boolean,
  ) {
    super([content])
  }

  override slice(start?: number, end?: number): Blob {
    return new Snapshot(this.content.slice(start, end), this.isSame)
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    if (!this.isSame()) throw new DOMException('changed', 'NotReadableError')
    return super.arrayBuffer()
  }
}

class FakeAccess {
  private at = 0

  constructor(
    private readonly file: FakeFile,
    private readonly disk: FakeDisk,
  ) {}

  getSize(): number {
    return this.file.bytes.byteLength
  }

  read(into: Uint8Array, { at = 0 } = {}): number {
    const found = this.file.bytes.subarray(at, at + into.byteLength)
    into.set(found)
    return found.byteLength
  }

  write(bytes: Uint8Array, { at = this.at } = {}): number {
    const half = Math.ceil(bytes.byteLength / 2)
    return this.put(bytes.subarray(0, half), at) + this.put(bytes.subarray(half), at + half)
  }

  truncate(sizeBytes: number): void {
    this.disk.moment()
    const grown = new Uint8Array(sizeBytes)
    grown.set(this.file.bytes.subarray(0, sizeBytes))
    this.file.bytes = grown
  }

  flush(): void {
    this.disk.moment()
  }

  close(): void {
    this.file.isLocked = false
  }

  private put(bytes: Uint8Array, at: number): number {
    this.disk.moment()
    const taken = bytes.subarray(0, Math.max(0, this.disk.mostBytes - at))
    const all = new Uint8Array(Math.max(this.getSize(), at + taken.byteLength))
    all.set(this.file.bytes)
    all.set(taken, at)
    this.file.bytes = all
    this.at = at + taken.byteLength
    return taken.byteLength
  }
}
