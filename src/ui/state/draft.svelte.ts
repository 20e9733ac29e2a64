import { openPicture, pictureName, type Picture } from '../chat/pictures'
import { nameAndMessage } from '../text/explain'
import { en, type Messages } from '../text/messages/en'

/** The question being written, with its pictures. */
export class Draft {
  text = $state('')
  pictures = $state.raw<Picture[]>([])
  /** Why the last files were not taken, in sentences. */
  notice = $state('')
  #opening = $state(0)

  #texts: () => Messages

  constructor(texts = () => en) {
    this.#texts = texts
  }

  /** Files are being read as pictures. */
  get isOpening(): boolean {
    return this.#opening > 0
  }

  /** Adds files as pictures; those that are none are named in `notice`. */
  async add(files: readonly File[]): Promise<number> {
    if (files.length === 0) return 0
    const { pictures: wording } = this.#texts()
    this.#opening++
    this.notice = ''
    const opened = await Promise.allSettled(
      files.map((file, i) =>
        openPicture(file, pictureName(file, this.pictures.length + i, wording), wording),
      ),
    )
    this.#opening--
    const fresh = opened.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
    const refused = opened.flatMap((result) =>
      result.status === 'rejected' ? nameAndMessage(result.reason).message : [],
    )
    const all = [...this.pictures, ...fresh]
    // The same picture twice is one picture.
    const isFirst = (one: Picture) => all.find(({ id }) => id === one.id) === one
    const added = fresh.filter(isFirst)
    for (const { url } of fresh.filter((one) => !isFirst(one))) URL.revokeObjectURL(url)
    this.pictures = [...this.pictures, ...added]
    this.notice = refused.join(' ')
    return added.length
  }

  remove(picture: Picture) {
    this.pictures = this.pictures.filter((other) => other !== picture)
    URL.revokeObjectURL(picture.url)
  }

  /** Hands the draft over and starts an empty one. The pictures' object URLs go with them. */
  take(): { text: string; pictures: Picture[] } {
    const taken = { text: this.text, pictures: this.pictures }
    this.text = ''
    this.pictures = []
    this.notice = ''
    return taken
  }
}
