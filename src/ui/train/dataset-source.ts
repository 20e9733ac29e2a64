import type { DatasetSource } from '../../worker/client'
import type { PlaceHandle } from './handles'
import type { Suggestion } from './recipe-form.svelte'

/** Files as they were picked or dropped, paths as in the folder. */
export type PickedFile = { path: string; file: File }

/** A source that knows where it lies, so that it need not be copied to be read again on a later visit. */
export type PlacedSource = DatasetSource & { handle?: PlaceHandle | undefined }

/** The set that comes with the page. */
export const SAMPLE_SET: DatasetSource = {
  kind: 'zip-url',
  url: 'samples/stage-1.zip',
  name: 'Sample set',
}

/** Settings of the sample set's own run in PyTorch (tools/stage1), whose losses a run of the page is compared with. */
export const SAMPLE_SETTINGS: Suggestion = {
  by: 'the sample set',
  reason: 'its run in PyTorch had these, so that losses can be compared.',
  texts: { batchSize: '8', accumulate: '1', epochs: '3', captionEnd: 'eos' },
}

/**
 * The source that picked files make: a zip alone, or the files themselves without what systems leave in folders.
 *
 * Throws: Error with a sentence for the visitor.
 */
export function sourceOfFiles(picked: readonly PickedFile[], handle?: PlaceHandle): PlacedSource {
  const files = picked.filter(({ path }) => !/(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/.test(path))
  if (files.length === 0) throw new Error('There are no files in it. Choose a folder or files with data.')
  const zips = files.filter(({ path }) => /\.zip$/i.test(path))
  if (zips.length === 0) return { kind: 'files', files, ...(handle && { handle }) }
  if (files.length > 1)
    throw new Error('A zip is read by itself. Choose the zip alone, or the files without it.')
  return { kind: 'zip', file: zips[0]!.file, ...(handle && { handle }) }
}

/** The source as the engine takes it: its address means the same in a worker, whose own lies elsewhere. */
export function absolute(source: PlacedSource, pageUrl: string): DatasetSource {
  switch (source.kind) {
    case 'zip-url':
      return { ...source, url: new URL(source.url, pageUrl).href }
    case 'files':
      return { kind: 'files', files: source.files }
    case 'zip':
      return { kind: 'zip', file: source.file }
    case 'pairs':
      return source
  }
}

/** A source in a few words. */
export function sourceName(source: DatasetSource): string {
  switch (source.kind) {
    case 'files': {
      const [first] = source.files
      const folder = first!.path.includes('/') ? first!.path.split('/')[0]! : undefined
      if (folder && source.files.every(({ path }) => path.startsWith(`${folder}/`))) return folder
      return source.files.length === 1 ? first!.path : `${source.files.length} files`
    }
    case 'zip':
      return source.file.name
    default:
      return source.name
  }
}
