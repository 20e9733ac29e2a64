import type { DatasetSource } from '../../worker/client'

/** Files as they were picked or dropped, paths as in the folder. */
export type PickedFile = { path: string; file: File }

/** The set that comes with the page. */
export const SAMPLE_SET: DatasetSource = {
  kind: 'zip-url',
  url: 'samples/stage-1.zip',
  name: 'Sample set',
}

/**
 * The source that picked files make: a zip alone, or the files themselves without what systems leave in folders.
 *
 * Throws: Error with a sentence for the visitor.
 */
export function sourceOfFiles(picked: readonly PickedFile[]): DatasetSource {
  const files = picked.filter(({ path }) => !/(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/.test(path))
  if (files.length === 0) throw new Error('There are no files in it. Choose a folder or files with data.')
  const zips = files.filter(({ path }) => /\.zip$/i.test(path))
  if (zips.length === 0) return { kind: 'files', files }
  if (files.length > 1)
    throw new Error('A zip is read by itself. Choose the zip alone, or the files without it.')
  return { kind: 'zip', file: zips[0]!.file }
}

/** The source with an address that means the same in a worker, whose own lies elsewhere. */
export function absolute(source: DatasetSource, pageUrl: string): DatasetSource {
  return source.kind === 'zip-url' ? { ...source, url: new URL(source.url, pageUrl).href } : source
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
