import { DatasetError } from '../../errors'
import { baseOf, parentOf, stemOf } from './folder'
import { isPicture } from './pictures'

/** Names of rows that are kept for validation, the first found wins. */
const HELD_OUT_NAMES: readonly string[] = [
  'heldout',
  'held-out',
  'held_out',
  'validation',
  'val',
  'eval',
  'test',
]

/** Which of a folder's files hold rows. */
export type Found =
  | { readonly kind: 'annotations'; readonly path: string; readonly heldOut: string | undefined }
  /** Captions lie beside the pictures, each in a text file of the same name. */
  | { readonly kind: 'captions' }

/** Whether a file may hold rows, by its extension. */
export function isAnnotationFile(path: string): boolean {
  return /\.(jsonl?|csv|tsv)$/i.test(path)
}

/**
 * Finds the file of rows among others: the one called `train`, or the only one that is not called as one for
 * validation is. Without any, pictures with captions beside them.
 *
 * Throws: DatasetError that lists what was found and says what is expected.
 */
export function discover(paths: readonly string[], name: string): Found {
  const files = paths.filter(isAnnotationFile)
  const trains = files.filter((path) => stemOf(path).toLowerCase() === 'train')
  const others = files.filter((path) => !isHeldOutName(path))
  const chosen = [trains, others, files].find((list) => list.length === 1)?.[0]
  if (chosen !== undefined && trains.length <= 1) {
    return { kind: 'annotations', path: chosen, heldOut: heldOutBeside(files, chosen) }
  }
  if (files.length === 0 && captionsBeside(paths).size > 0) return { kind: 'captions' }
  throw files.length === 0 ? nothingFound(paths, name) : ambiguous(trains.length > 1 ? trains : files, name)
}

/** The file of rows for validation in the same folder; none for a file that is one itself. */
export function heldOutBeside(paths: readonly string[], annotations: string): string | undefined {
  if (isHeldOutName(annotations)) return undefined
  const beside = paths.filter((path) => isAnnotationFile(path) && parentOf(path) === parentOf(annotations))
  for (const name of HELD_OUT_NAMES) {
    const found = beside.find((path) => stemOf(path).toLowerCase() === name)
    if (found !== undefined) return found
  }
  return undefined
}

/** Text files by the path of the picture that they describe. */
export function captionsBeside(paths: readonly string[]): Map<string, string> {
  const texts = new Map<string, string>()
  for (const path of paths) if (/\.txt$/i.test(path)) texts.set(withoutExtension(path), path)
  const captions = new Map<string, string>()
  for (const path of paths) {
    const text = isPicture(path) ? texts.get(withoutExtension(path)) : undefined
    if (text !== undefined) captions.set(path, text)
  }
  return captions
}

function isHeldOutName(path: string): boolean {
  return HELD_OUT_NAMES.includes(stemOf(path).toLowerCase())
}

function withoutExtension(path: string): string {
  const parent = parentOf(path)
  return parent === '' ? stemOf(path) : `${parent}/${stemOf(path)}`
}

function nothingFound(paths: readonly string[], name: string): DatasetError {
  const pictures = paths.filter(isPicture).length
  const found =
    paths.length === 0
      ? 'nothing'
      : `${pictures} pictures and ${paths.length - pictures} other files (${few(paths)})`
  return new DatasetError(
    `dataset: ${name} holds no captions: found ${found}; expected a .json, .jsonl, .csv or .tsv file of rows, ` +
      'or a .txt file of the same name beside each picture',
  )
}

function ambiguous(files: readonly string[], name: string): DatasetError {
  return new DatasetError(
    `dataset: ${name} holds several files of rows (${few(files)}); expected one, or one that is called train`,
  )
}

function few(paths: readonly string[]): string {
  const shown = paths.slice(0, 6).map((path) => (paths.length > 1 ? path : baseOf(path)))
  return paths.length > shown.length
    ? `${shown.join(', ')} and ${paths.length - shown.length} more`
    : shown.join(', ')
}
