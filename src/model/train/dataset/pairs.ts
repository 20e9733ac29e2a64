import { DatasetError } from '../../errors'
import { throwIfAborted, unreadable } from './access'
import type { Rows } from './annotations'
import { fingerprintOf } from './fingerprint'
import { expectPictureSize, MAX_PICTURE_BYTES } from './folder'
import { sizeProblem, type Pictures } from './pictures'
import { captionRow, type ParsedRow } from './row'

/** A picture and the caption typed for it. */
export interface Pair {
  readonly name: string
  readonly image: Blob
  readonly caption: string
}

/** Rows and pictures of pairs; pictures of the same name are told apart by a number. Throws: DatasetError. */
export async function openPairs(pairs: readonly Pair[]): Promise<{ rows: Rows; pictures: Pictures }> {
  if (pairs.length === 0) throw new DatasetError('dataset: there are no pairs; add a picture and its caption')
  const images = new Map<string, Blob>()
  const parsed: ParsedRow[] = []
  const words = ['pairs', String(pairs.length)]
  for (const { name, image, caption } of pairs) {
    let path = name === '' ? 'picture' : name
    for (let copy = 2; images.has(path); copy++) path = `${copy}-${name}`
    images.set(path, image)
    parsed.push(captionRow(path, path, caption.trim()))
    words.push(caption.trim(), String(image.size))
    if (image.size <= MAX_PICTURE_BYTES) words.push(await fingerprintOf([], [await read(path, image)]))
  }
  const fingerprint = await fingerprintOf(words)
  return { rows: new PairRows(parsed, fingerprint), pictures: new PairPictures(images) }
}

class PairRows implements Rows {
  readonly length: number

  constructor(
    private readonly parsed: readonly ParsedRow[],
    readonly fingerprint: string,
  ) {
    this.length = parsed.length
  }

  async read(row: number): Promise<ParsedRow> {
    return this.parsed[row]!
  }

  async *batches(signal: AbortSignal | undefined): AsyncIterable<readonly ParsedRow[]> {
    throwIfAborted(signal)
    yield this.parsed
  }
}

class PairPictures implements Pictures {
  constructor(private readonly images: ReadonlyMap<string, Blob>) {}

  async problemOf(path: string): Promise<string | undefined> {
    const image = this.images.get(path)
    if (!image) return `${path} is not there`
    return sizeProblem(path, image.size)
  }

  async read(path: string): Promise<Uint8Array> {
    const image = this.images.get(path)
    if (!image) throw new DatasetError(`dataset: the picture ${path} is not among the pairs`)
    return read(path, image)
  }
}

async function read(path: string, image: Blob): Promise<Uint8Array> {
  expectPictureSize(path, image.size)
  try {
    return new Uint8Array(await image.arrayBuffer())
  } catch (error) {
    throw unreadable(path, error)
  }
}
