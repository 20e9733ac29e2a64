import type { Picture } from '../chat/pictures'
import type { ImageSource } from './types'

/** What pictures of a page are put into. */
export interface Shelf {
  /** Resolves with the picture, or with nothing where it could not be read, which was told. */
  add(source: ImageSource): Promise<Picture | undefined>
  remove(picture: Picture): void
}

/** The pictures a page gives by `images`: in the composer once they were fetched, and out of it when the page names others. */
export class PageImages {
  #sources: readonly ImageSource[] = []
  #isFetched = true
  #placed: Picture[] = []
  /** Counts lists, so that what comes late for an old one is put away. */
  #list = 0
  /** Settles when those asked for are in the composer. */
  settled: Promise<void> = Promise.resolve()

  readonly #shelf: Shelf

  constructor(shelf: Shelf) {
    this.#shelf = shelf
  }

  get sources(): readonly ImageSource[] {
    return this.#sources
  }

  /** False where these are the ones there are: frameworks set equal lists again and again. */
  set(sources: readonly ImageSource[]): boolean {
    const before = this.#sources
    this.#sources = sources
    if (sources.length === before.length && sources.every((source, i) => isSame(source, before[i])))
      return false
    this.#list++
    this.#isFetched = sources.length === 0
    for (const picture of this.#placed.splice(0)) this.#shelf.remove(picture)
    return true
  }

  /** Fetches them, if they are not. */
  fetch(): void {
    if (this.#isFetched) return
    this.#isFetched = true
    const list = this.#list
    const each = this.#sources.map(async (source) => {
      const picture = await this.#shelf.add(source)
      if (!picture) return
      if (list === this.#list) this.#placed.push(picture)
      else this.#shelf.remove(picture)
    })
    this.settled = Promise.all([this.settled, ...each]).then(() => {})
  }
}

const isSame = (a: ImageSource, b: ImageSource | undefined): boolean =>
  a === b || (!(a instanceof Blob) && !(b instanceof Blob) && String(a) === String(b))
