import { DatasetError } from '../../errors'
import { megabytes } from './access'
import { baseOf, commonFolder, MAX_PICTURE_BYTES, type Folder } from './folder'

/** Pictures of a dataset, by the paths its rows give. */
export interface Pictures {
  /** Returns: what is wrong with a picture, in words that follow `its picture`; undefined where nothing is. */
  problemOf(path: string): Promise<string | undefined>
  /** Throws: DatasetError. */
  read(path: string): Promise<Uint8Array>
}

/** By extension, what can be decoded. */
export function isPicture(path: string): boolean {
  return /\.(jpe?g|png|webp|gif)$/i.test(path)
}

/** A path without `.` and `..`; undefined where it leads out of the folder it is relative to. */
export function pathInside(path: string): string | undefined {
  const plain = path.replaceAll('\\', '/')
  if (/^([a-z]:)?\//i.test(plain) || plain.includes('\0')) return undefined
  const names: string[] = []
  for (const name of plain.split('/')) {
    if (name === '' || name === '.') continue
    if (name !== '..') names.push(name)
    else if (names.pop() === undefined) return undefined
  }
  return names.length === 0 ? undefined : names.join('/')
}

/** What is wrong with a picture of this size, as `problemOf` says it. */
export function sizeProblem(path: string, sizeBytes: number): string | undefined {
  if (sizeBytes === 0) return `${path} is empty`
  if (sizeBytes <= MAX_PICTURE_BYTES) return undefined
  return `${path} takes ${megabytes(sizeBytes)}; at most ${megabytes(MAX_PICTURE_BYTES)} are read`
}

type Located = { readonly path: string } | { readonly problem: string }

/**
 * Pictures in a folder. A path is tried as written, relative to the annotation file's folder, and below the folder
 * that all pictures share; then the files of the same name are compared, upper and lower case last, and the one that
 * agrees in most folders with the path is taken, where there is one.
 */
export class FolderPictures implements Pictures {
  private index: Promise<PictureIndex> | undefined

  /** `annotationFolder` is relative to `folder`. */
  constructor(
    private readonly folder: Folder,
    private readonly annotationFolder = '',
  ) {}

  async problemOf(path: string): Promise<string | undefined> {
    const located = await this.locate(path)
    if ('problem' in located) return located.problem
    return sizeProblem(path, (await this.folder.sizeOf(located.path)) ?? 0)
  }

  async read(path: string): Promise<Uint8Array> {
    const located = await this.locate(path)
    if ('problem' in located) {
      throw new DatasetError(`dataset: the picture ${located.problem}; add it, or correct its row`)
    }
    return this.folder.bytes(located.path)
  }

  private async locate(path: string): Promise<Located> {
    const written = pathInside(path)
    const beside = this.annotationFolder === '' ? undefined : pathInside(`${this.annotationFolder}/${path}`)
    // An absolute path is none beside the annotations either.
    const candidates = written === undefined && /^([a-z]:)?[\\/]/i.test(path) ? [] : [written, beside]
    const inside = candidates.filter((candidate) => candidate !== undefined)
    if (inside.length === 0) {
      return { problem: `${path} leads out of the folder; paths have to be relative to it` }
    }
    for (const candidate of inside) {
      if ((await this.folder.sizeOf(candidate)) !== undefined) return { path: candidate }
    }
    this.index ??= this.folder.paths().then((paths) => new PictureIndex(paths))
    this.index.catch(() => (this.index = undefined))
    const found = (await this.index).find(written ?? inside[0]!)
    if (found.length === 1) return { path: found[0]! }
    if (found.length === 0) return { problem: `${path} is not there` }
    return {
      problem: `${path} is not there, and ${found.length} others have its name (${found[0]}, ${found[1]})`,
    }
  }
}

/** Finds files by their names where their folders differ. */
class PictureIndex {
  /** Base name in lower case -> paths. */
  private readonly byName = new Map<string, string | string[]>()
  private readonly common: string

  constructor(paths: readonly string[]) {
    this.common = commonFolder(paths.filter(isPicture))
    for (const path of paths) {
      const key = nameKey(path)
      const others = this.byName.get(key)
      if (others === undefined) this.byName.set(key, path)
      else if (typeof others === 'string') this.byName.set(key, [others, path])
      else others.push(path)
    }
  }

  /** Returns: the files that fit best; none or one, unless several do equally. */
  find(path: string): readonly string[] {
    const wanted = path.normalize('NFC')
    const found = this.byName.get(nameKey(path)) ?? []
    const named = typeof found === 'string' ? [found] : found
    const sameCase = named.filter((file) => baseOf(file).normalize('NFC') === baseOf(wanted))
    return sameCase.length > 0 ? this.best(sameCase, wanted, false) : this.best(named, wanted, true)
  }

  private best(files: readonly string[], wanted: string, ignoreCase: boolean): readonly string[] {
    let most = -1
    let best: string[] = []
    for (const file of files) {
      const score = this.agreement(file.normalize('NFC'), wanted, ignoreCase)
      if (score > most) {
        most = score
        best = []
      }
      if (score === most) best.push(file)
    }
    return best
  }

  /** Names that agree from the end; a half more where nothing of the file but the common folder is left. */
  private agreement(file: string, wanted: string, ignoreCase: boolean): number {
    const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text).split('/').reverse()
    const below =
      this.common !== '' && file.startsWith(`${this.common}/`) ? file.slice(this.common.length + 1) : file
    const ours = fold(file)
    const theirs = fold(wanted)
    let count = 0
    while (count < ours.length && count < theirs.length && ours[count] === theirs[count]) count++
    return count + (count >= below.split('/').length ? 0.5 : 0)
  }
}

function nameKey(path: string): string {
  return baseOf(path).normalize('NFC').toLowerCase()
}
