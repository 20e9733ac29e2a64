import { createStore, promisifyRequest, type UseStore } from 'idb-keyval'
import type { CheckpointLocation, ModelSource } from '../../worker/api'
import type { DatasetSource } from '../../worker/client'
import type { LoadTarget } from '../state/engine.svelte'
import { sourceOfFiles, type PlacedSource } from './dataset-source'
import { filesOfPlace, isReadable, type PlaceHandle } from './handles'

/** Data of more bytes is not copied: the visitor chooses the same files again to go on. */
export const KEPT_BYTES = 500e6

/** What a run needs to go on after the page was closed. */
export interface RunData {
  dataset?: DatasetSource
  /** The model it trains a connector of, where it can be loaded without asking. */
  target?: LoadTarget
}

/** Where the data of runs is kept between visits. */
export interface RunDataStore {
  /** `mayAsk`, in a click, has the browser ask for a folder that it lets be read on another visit only so. */
  load(run: string, mayAsk?: boolean): Promise<RunData | undefined>
  save(run: string, data: RunData): Promise<void>
  delete(run: string): Promise<void>
}

/** Entries of a store by their names, in one transaction. */
export interface Entries {
  get(name: string): Promise<unknown>
  put(name: string, value: unknown): Promise<unknown>
  delete(name: string): Promise<unknown>
}
export type Transact = <T>(work: (entries: Entries) => Promise<T>) => Promise<T>

/** What is kept under a run's id. */
interface RunEntry {
  /** Data that costs no room: an address. */
  dataset?: DatasetSource
  /** Begins the names of its data's entries. */
  data?: string
  target?: LoadTarget
}
/** What is kept of data, once for all runs on it. */
type DataEntry = { dataset: DatasetSource } | { handle: PlaceHandle }

/** Keeps data once for all runs on it, until the last of them is deleted; of a folder whose place is known, the place. */
export function sharedRunData(transact: Transact): RunDataStore {
  // Copies are apart from the list of their runs, which is written anew for each: writing copies files again.
  const usersOf = (data: string) => `${data} runs`

  async function release(entries: Entries, run: string) {
    const { data } = ((await entries.get(run)) as RunEntry | undefined) ?? {}
    if (data === undefined) return
    const users = ((await entries.get(usersOf(data))) as string[] | undefined) ?? []
    const others = users.filter((user) => user !== run)
    if (others.length) return void (await entries.put(usersOf(data), others))
    await entries.delete(usersOf(data))
    await entries.delete(data)
  }

  return {
    async load(run, mayAsk = false) {
      const found = await transact(async (entries) => {
        const entry = (await entries.get(run)) as RunEntry | undefined
        const data = entry?.data !== undefined && ((await entries.get(entry.data)) as DataEntry | undefined)
        return { entry, data: data || undefined }
      })
      if (!found.entry) return undefined
      const { target } = found.entry
      const dataset = found.entry.dataset ?? (found.data && (await opened(found.data, mayAsk)))
      return { ...(dataset && { dataset }), ...(target && { target }) }
    },
    async save(run, { dataset, target }) {
      // A transaction ends where it waits for anything else.
      const data = dataset && dataset.kind !== 'zip-url' ? await dataName(dataset) : undefined
      await transact(async (entries) => {
        const before = (await entries.get(run)) as RunEntry | undefined
        if (before?.data !== data) await release(entries, run)
        if (dataset && data !== undefined) {
          if ((await entries.get(data)) === undefined) await entries.put(data, dataEntry(dataset))
          const users = ((await entries.get(usersOf(data))) as string[] | undefined) ?? []
          if (!users.includes(run)) await entries.put(usersOf(data), [...users, run])
        }
        const entry: RunEntry = {
          ...(data !== undefined ? { data } : dataset && { dataset }),
          ...(target && { target }),
        }
        await entries.put(run, entry)
      })
    },
    async delete(run) {
      await transact(async (entries) => {
        await release(entries, run)
        await entries.delete(run)
      })
    },
  }
}

/** A store in IndexedDB, which takes files and handles as they are. */
export function indexedDbRunData(): RunDataStore {
  let opened: UseStore | undefined
  return sharedRunData((work) =>
    (opened ??= createStore('trilobite-runs', 'data'))('readwrite', (store) =>
      work({
        get: (name) => promisifyRequest<unknown>(store.get(name)),
        put: (name, value) => promisifyRequest(store.put(value, name)),
        delete: (name) => promisifyRequest(store.delete(name)),
      }),
    ),
  )
}

function dataEntry(dataset: PlacedSource): DataEntry {
  return 'handle' in dataset && dataset.handle ? { handle: dataset.handle } : { dataset }
}

/** Data that is kept, as it can be read now; undefined where its place is gone or may not be read. */
async function opened(data: DataEntry, mayAsk: boolean): Promise<DatasetSource | undefined> {
  if ('dataset' in data) return data.dataset
  try {
    if (!(await isReadable(data.handle, mayAsk))) return undefined
    return sourceOfFiles(await filesOfPlace(data.handle), data.handle)
  } catch {
    return undefined
  }
}

/**
 * The name of data, equal for the same files. The engine's fingerprint is of rows alone, so that it would take data whose
 * pictures were mended for the one before.
 */
async function dataName(source: DatasetSource): Promise<string> {
  const ofFile = ({ name, size, lastModified }: File) => [name, size, lastModified]
  const parts: unknown[] = [source.kind, 'handle' in source && source.handle !== undefined]
  if (source.kind === 'files') parts.push(source.files.map(({ path, file }) => [path, ...ofFile(file)]))
  if (source.kind === 'zip') parts.push(ofFile(source.file))
  if (source.kind === 'pairs') {
    for (const { name, caption, image } of source.pairs)
      parts.push([name, caption, await hashOf(await image.arrayBuffer())])
  }
  return `data ${await hashOf(new TextEncoder().encode(JSON.stringify(parts)))}`
}

async function hashOf(bytes: BufferSource): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Bytes that keeping a source copies: none where its place is known, or where it lies on a server. */
export function datasetBytes(source: PlacedSource): number {
  if ('handle' in source && source.handle) return 0
  switch (source.kind) {
    case 'files':
      return source.files.reduce((sum, { file }) => sum + file.size, 0)
    case 'zip':
      return source.file.size
    case 'zip-url':
      return 0
    case 'pairs':
      return source.pairs.reduce((sum, { image }) => sum + image.size, 0)
  }
}

/** How a run's data is kept for later visits, as the visitor is told. */
export function keepingOf(source: PlacedSource): {
  how: 'place' | 'address' | 'copy' | 'not'
  bytes: number
} {
  const bytes = datasetBytes(source)
  if ('handle' in source && source.handle) return { how: 'place', bytes }
  if (source.kind === 'zip-url') return { how: 'address', bytes }
  return { how: bytes <= KEPT_BYTES ? 'copy' : 'not', bytes }
}

/** What of a run's data and model may be kept: no token, and no copy of more than `limitBytes`. */
export function keepable(
  dataset: DatasetSource,
  target: LoadTarget | undefined,
  limitBytes = KEPT_BYTES,
): RunData {
  const source = target && rememberable(target.source)
  return {
    ...(datasetBytes(dataset) <= limitBytes && { dataset }),
    ...(target && source && { target: { label: target.label, source, options: withoutBase(target) } }),
  }
}

/**
 * Asks the browser not to clear what this site keeps, checkpoints of runs among it, when the disk fills up.
 *
 * Returns: whether it promises so; undefined where it knows no such promise.
 */
export async function persistStorage(
  storage: Partial<StorageManager> | undefined = navigator.storage,
): Promise<boolean | undefined> {
  if (!storage?.persist || !storage.persisted) return undefined
  try {
    return (await storage.persisted()) || (await storage.persist())
  } catch {
    return undefined
  }
}

/** Nothing of files, which must be picked again, and of a server, where nothing is trained. */
function rememberable(source: ModelSource): CheckpointLocation | undefined {
  if (source.kind === 'files' || source.kind === 'endpoint') return undefined
  if (source.kind === 'url') return source
  const { token: _token, ...rest } = source
  return rest
}

function withoutBase({ options }: LoadTarget): LoadTarget['options'] {
  const { base, ...rest } = options
  const kept = base && rememberable(base)
  return kept ? { ...rest, base: kept } : rest
}

/** True for a model that lies on the page's own server: loading it asks nobody else for anything. */
export function liesBeside(source: ModelSource, pageUrl: string): boolean {
  return source.kind === 'url' && new URL(source.baseUrl).origin === new URL(pageUrl).origin
}
