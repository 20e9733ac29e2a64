import type { DatasetSource } from '../../worker/client'

type Zip = { entries: Map<string, () => Promise<Blob>>; close(): Promise<void> }

/** Pictures of a run's data, by the path that its rows give; read where they lie, when they are asked for. */
export class DataPictures {
  #source: DatasetSource
  #pageUrl: string
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
      if (source.kind === 'files')
        return source.files.find(
          (file) =>
            file.path ===
            endingWith(
              source.files.map((f) => f.path),
              path,
            ),
        )?.file
      const { entries } = await (this.#zip ??= openZip(source, this.#pageUrl))
      const found = endingWith([...entries.keys()], path)
      return found === undefined ? undefined : await entries.get(found)!()
    } catch {
      return undefined
    }
  }

  async close() {
    await this.#zip?.then((zip) => zip.close()).catch(() => {})
  }
}

/** The shortest of the names that is the path or ends with it, as a file in a folder does. */
export function endingWith(names: readonly string[], path: string): string | undefined {
  const wanted = path.replace(/^\.?\//, '')
  return names
    .filter((name) => name === wanted || name.endsWith(`/${wanted}`))
    .sort((a, b) => a.length - b.length)[0]
}

async function openZip(
  source: Extract<DatasetSource, { kind: 'zip' | 'zip-url' }>,
  pageUrl: string,
): Promise<Zip> {
  const { BlobReader, BlobWriter, ZipReader } = await import('@zip.js/zip.js')
  const blob = source.kind === 'zip' ? source.file : await (await fetch(new URL(source.url, pageUrl))).blob()
  const reader = new ZipReader(new BlobReader(blob), { useWebWorkers: false })
  const entries = new Map<string, () => Promise<Blob>>()
  for (const entry of await reader.getEntries()) {
    if (!entry.directory) entries.set(entry.filename, () => entry.getData(new BlobWriter()))
  }
  return { entries, close: () => reader.close() }
}
