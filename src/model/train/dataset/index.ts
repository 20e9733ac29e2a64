import { DatasetError } from '../../errors'
import type { Dataset } from '../definition'
import { BlobAccess } from './access'
import { openAnnotations } from './annotations'
import { openCaptionFiles } from './caption-files'
import { closeAll, RowDataset } from './dataset'
import { discover, type Found } from './discover'
import { baseOf, DroppedFolder, parentOf, stemOf, type Folder } from './folder'
import { openPairs, type Pair } from './pairs'
import { FolderPictures } from './pictures'
import type { ReadOptions } from './row-index'
import { openZip } from './zip-folder'
import type { Spool } from './zip-entry'

// What another host, such as a disk, needs to be a folder of data.
export type { Dataset } from '../definition'
export { unreadable, type RandomAccess } from './access'
export { heldOutBeside, isAnnotationFile } from './discover'
export { expectPictureSize, isHidden, stemOf, type Folder } from './folder'
export { pathInside } from './pictures'
export type { Pair } from './pairs'
export type { Spool } from './zip-entry'
export { openZip } from './zip-folder'

/** Where pictures and captions are. */
export type LocalDatasetSource =
  /** Files that were dropped, rows among them; paths as in the drop. */
  | { kind: 'files'; files: readonly { path: string; file: Blob }[]; name?: string }
  /** The same in one zip; `name` is for one that is no File. */
  | { kind: 'zip'; file: Blob; name?: string }
  | { kind: 'pairs'; name: string; pairs: readonly Pair[] }

/** `onProgress` tells bytes of the file of rows while it is indexed. */
export interface OpenDatasetOptions extends ReadOptions {
  /** Where a compressed file of rows in a zip is unpacked to; Blobs where undefined. */
  spool?: Spool | undefined
}

/**
 * Opens picture/caption pairs. The file of rows is passed once to find its rows; neither these nor pictures stay in
 * memory.
 *
 * Throws: DatasetError where no rows are found or their file is not understood; AbortError.
 */
export async function openDataset(
  source: LocalDatasetSource,
  options: OpenDatasetOptions = {},
): Promise<Dataset> {
  switch (source.kind) {
    case 'files': {
      const folder = new DroppedFolder(source.files)
      return openFolderDataset(folder, { ...options, name: source.name })
    }
    case 'zip': {
      const name = source.name ?? (source.file instanceof File ? source.file.name : 'data.zip')
      const folder = await openZip(new BlobAccess(source.file, name), name, options)
      return openFolderDataset(folder, { ...options, name: stemOf(name) })
    }
    case 'pairs':
      return new RowDataset({ name: source.name, ...(await openPairs(source.pairs)) })
  }
}

export interface FolderDatasetOptions extends OpenDatasetOptions {
  /** What the dataset is called; by default after its file of rows, or the folder. */
  name?: string | undefined
  /** The file of rows and that of validation where they are known; otherwise they are looked for. */
  annotations?: { readonly path: string; readonly heldOut: string | undefined } | undefined
  /** Where pictures are; by default in the same folder. */
  pictures?: Folder | undefined
  /** Folder of the rows' file relative to that of the pictures. */
  annotationFolder?: string | undefined
}

/**
 * Opens the rows of a folder, or, without any file of rows, its pictures with a text file beside each. Closing the
 * dataset closes the folder.
 *
 * Throws: DatasetError, AbortError; the folder is closed then.
 */
export async function openFolderDataset(
  folder: Folder,
  options: FolderDatasetOptions = {},
): Promise<Dataset> {
  const pictureFolder = options.pictures ?? folder
  const resources: { close?(): Promise<void> }[] = [...new Set([folder, pictureFolder])]
  try {
    const found: Found = options.annotations
      ? { kind: 'annotations', ...options.annotations }
      : discover(await folder.paths(), folder.name || 'the data')
    if (found.kind === 'captions') {
      const rows = await openCaptionFiles(folder, options.signal)
      const name = options.name ?? (folder.name || 'pictures')
      return new RowDataset({ name, rows, pictures: new FolderPictures(folder), resources })
    }
    const annotationFolder = options.pictures ? (options.annotationFolder ?? '') : parentOf(found.path)
    const pictures = new FolderPictures(pictureFolder, annotationFolder)
    const rowsOf = async (path: string) => {
      const access = await folder.open(path, options.signal)
      resources.push(access)
      return openAnnotations(access, path, options)
    }
    const name = options.name ?? nameOf(found.path, folder.name)
    const rows = await rowsOf(found.path)
    const beside = found.heldOut
    if (beside === undefined) return new RowDataset({ name, rows, pictures, resources })
    try {
      const parts = { name: `${name} ${stemOf(beside)}`, rows: await rowsOf(beside), pictures }
      return new RowDataset({ name, rows, pictures, heldOut: new RowDataset(parts), resources })
    } catch (error) {
      // Nobody named it: evaluations of other programs are called so, too.
      if (!(error instanceof DatasetError)) throw error
      return new RowDataset({ name, rows, pictures, heldOutProblem: error.message, resources })
    }
  } catch (error) {
    await closeAll(resources)
    throw error
  }
}

/** `train.json` says nothing: its folder does. */
function nameOf(annotations: string, folder: string): string {
  const stem = stemOf(annotations)
  return stem.toLowerCase() === 'train' ? baseOf(parentOf(annotations)) || folder || stem : stem
}
