import type { DatasetSource } from '../../worker/client'

type Zip = { index: PathIndex<() => Promise<Blob>>; close(): Promise<void> }

/** Pictures of a run's data, by the path that its rows give; read where they lie, when they are asked for. */
export class DataPictures {
  #source: DatasetSource
  #pageUrl: string
  #files: PathIndex<File> | undefined
  #zip: Promise<Zip> | undefined

  constructor(source: DatasetSource, pageUrl: string) {
    this.#source = source
    this.#pageUrl = pageUrl
  }

  /** The picture at a path; undefined where there is none, or the data cannot be read any more. */
  async get(path: string): Promise<Blob | undefined> {
    const source = this.#source
    try {
      if (source.kind === 'pairs') return source.pairs.find(({ name }) => name === path)?.image
      if (source.kind === 'files') {
        this.#files ??= new PathIndex(source.files.map(({ path, file }) => [path, file]))
        return this.#files.find(path)
      }
      const { index } = await (this.#zip ??= openZip(source, this.#pageUrl))
      return await index.find(path)?.()
    } catch {
      return undefined
    }
  }

  async close() {
    await this.#zip?.then((zip) => zip.close()).catch(() => {})
  }
}

/** Finds files by paths that may begin in another folder than theirs do, as the engine does. */
export class PathIndex<T> {
  /** By their names without folders, in lower case: few share one, so that the rest is compared when asked. */
  readonly #byName = new Map<string, { path: string; file: T }[]>()

  constructor(files: Iterable<readonly [path: string, file: T]>) {
    for (const [path, file] of files) {
      const key = nameKey(path)
      const others = this.#byName.get(key)
      if (others) others.push({ path, file })
      else this.#byName.set(key, [{ path, file }])
    }
  }

  /** The file of this name that agrees in most folders with the path, the shortest path of several. */
  find(path: string): T | undefined {
    const wanted = namesFromEnd(path)
    let best: { file: T; agreement: number; length: number } | undefined
    for (const { path: found, file } of this.#byName.get(nameKey(path)) ?? []) {
      const names = namesFromEnd(found)
      const differing = names.findIndex((name, i) => name !== wanted[i])
      const agreement = differing < 0 ? names.length : differing
      const isBetter =
        !best || agreement > best.agreement || (agreement === best.agreement && found.length < best.length)
      if (isBetter) best = { file, agreement, length: found.length }
    }
    return best?.file
  }
}

/** macOS decomposes the characters of names. */
const namesFromEnd = (path: string) => path.normalize('NFC').split(/[\\/]/).reverse()
const nameKey = (path: string) => namesFromEnd(path)[0]!.toLowerCase()

async function openZip(
  source: Extract<DatasetSource, { kind: 'zip' | 'zip-url' }>,
  pageUrl: string,
): Promise<Zip> {
  const { BlobReader, BlobWriter, ZipReader } = await import('@zip.js/zip.js')
  const blob = source.kind === 'zip' ? source.file : await (await fetch(new URL(source.url, pageUrl))).blob()
  const reader = new ZipReader(new BlobReader(blob), { useWebWorkers: false })
  const files: [string, () => Promise<Blob>][] = []
  for (const entry of await reader.getEntries()) {
    if (!entry.directory) files.push([entry.filename, () => entry.getData(new BlobWriter())])
  }
  return { index: new PathIndex(files), close: () => reader.close() }
}
