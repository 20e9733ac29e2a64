import { DatasetError } from '../../errors'
import { megabytes, throwIfAborted } from './access'
import { MAX_ROW_BYTES, type Rows } from './annotations'
import { captionsBeside } from './discover'
import { fingerprintOf } from './fingerprint'
import type { Folder } from './folder'
import { isPicture } from './pictures'
import { captionRow, type ParsedRow } from './row'

/** Captions whose text, beside the sizes of all, goes into the fingerprint: reading all would take as long as a scan. */
const FINGERPRINT_CAPTIONS = 64
const BATCH_ROWS = 64

/**
 * Rows of pictures that each have a text file of the same name beside them, in the order of their paths. A picture
 * without one is a row without a caption.
 *
 * Throws: DatasetError, AbortError.
 */
export async function openCaptionFiles(folder: Folder, signal?: AbortSignal): Promise<Rows> {
  const paths = await folder.paths()
  const captions = captionsBeside(paths)
  const pictures = paths.filter(isPicture).sort((a, b) => (a < b ? -1 : 1))
  const words = ['captions', String(pictures.length)]
  for (const picture of pictures) {
    throwIfAborted(signal)
    const text = captions.get(picture)
    words.push(picture, text === undefined ? '' : String(await folder.sizeOf(text)))
    words.push(String(await folder.sizeOf(picture)))
  }
  const rows = new CaptionFileRows(folder, pictures, captions)
  const edge = [...pictures.slice(0, FINGERPRINT_CAPTIONS), ...pictures.slice(-FINGERPRINT_CAPTIONS)]
  for (const picture of edge) words.push(await rows.caption(picture).catch(() => ''))
  rows.fingerprint = await fingerprintOf(words)
  return rows
}

class CaptionFileRows implements Rows {
  readonly length: number
  fingerprint = ''

  constructor(
    private readonly folder: Folder,
    private readonly pictures: readonly string[],
    private readonly captions: ReadonlyMap<string, string>,
  ) {
    this.length = pictures.length
  }

  /** Throws: DatasetError with the reason alone. */
  async caption(picture: string): Promise<string> {
    const path = this.captions.get(picture)
    if (path === undefined)
      throw new DatasetError('has no caption: there is no .txt file of its name beside it')
    const sizeBytes = (await this.folder.sizeOf(path)) ?? 0
    if (sizeBytes > MAX_ROW_BYTES) throw new DatasetError(`has a caption of ${megabytes(sizeBytes)}`)
    const bytes = await this.folder.bytes(path)
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim()
    } catch {
      throw new DatasetError(`has a caption that is not UTF-8 text (${path})`)
    }
  }

  async read(row: number): Promise<ParsedRow> {
    const picture = this.pictures[row]!
    try {
      return captionRow(picture, picture, await this.caption(picture))
    } catch (error) {
      if (!(error instanceof DatasetError)) throw error
      return { id: picture, image: picture, problem: error.message }
    }
  }

  async *batches(signal: AbortSignal | undefined): AsyncIterable<readonly ParsedRow[]> {
    for (let row = 0; row < this.length; row += BATCH_ROWS) {
      throwIfAborted(signal)
      const count = Math.min(BATCH_ROWS, this.length - row)
      yield await Promise.all(Array.from({ length: count }, (_, i) => this.read(row + i)))
    }
  }
}
