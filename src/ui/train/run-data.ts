import { createStore, del, get, set, type UseStore } from 'idb-keyval'
import type { ModelSource } from '../../worker/api'
import type { DatasetSource } from '../../worker/client'
import type { LoadTarget } from '../state/engine.svelte'

/** Data of more bytes is not kept: the visitor chooses the same files again to go on. */
export const KEPT_BYTES = 500e6

/** What a run needs to go on after the page was closed. */
export interface RunData {
  dataset?: DatasetSource
  /** The model it trains a connector of, where it can be loaded without asking. */
  target?: LoadTarget
}

/** Where the data of runs is kept between visits. */
export interface RunDataStore {
  load(run: string): Promise<RunData | undefined>
  save(run: string, data: RunData): Promise<void>
  delete(run: string): Promise<void>
}

/** A store in IndexedDB, which takes files as they are. */
export function indexedDbRunData(): RunDataStore {
  let opened: UseStore | undefined
  const store = () => (opened ??= createStore('trilobite-runs', 'data'))
  return {
    load: (run) => get<RunData>(run, store()),
    save: (run, data) => set(run, data, store()),
    delete: (run) => del(run, store()),
  }
}

/** Bytes of a source's files; of one on a server none are kept. */
export function datasetBytes(source: DatasetSource): number {
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

/** What of a run's data and model may be kept: no token, and no files of more than `limitBytes`. */
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

function rememberable(source: ModelSource): ModelSource | undefined {
  if (source.kind === 'files') return undefined
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
