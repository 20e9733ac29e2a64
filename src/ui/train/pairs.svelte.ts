import type { DatasetSource } from '../../worker/client'
import { openPicture } from '../chat/pictures'
import { nameAndMessage } from '../text/explain'

/** A picture while its caption is typed. */
export class Pair {
  readonly id = crypto.randomUUID()
  caption = $state('')

  constructor(
    readonly name: string,
    readonly blob: Blob,
    readonly url: string,
  ) {}
}

/** Pictures with captions typed in the page. */
export class Pairs {
  list = $state<Pair[]>([])
  /** What could not be taken, in words. */
  notice = $state('')

  readonly captioned = $derived(this.list.filter(({ caption }) => caption.trim() !== ''))

  async add(files: readonly File[]) {
    this.notice = ''
    for (const file of files) {
      try {
        const { blob, url } = await openPicture(file, file.name)
        this.list.push(new Pair(this.#newName(file.name), blob, url))
      } catch (error) {
        this.notice = nameAndMessage(error).message
      }
    }
  }

  /** Pictures are told apart by their names. */
  #newName(wanted: string): string {
    const names = this.list.map(({ name }) => name)
    let name = wanted
    for (let copy = 2; names.includes(name); copy++) name = `${copy}-${wanted}`
    return name
  }

  remove(pair: Pair) {
    this.list = this.list.filter((other) => other !== pair)
    URL.revokeObjectURL(pair.url)
  }

  /** Data of the pictures that have a caption. */
  source(): DatasetSource {
    const pairs = this.captioned.map(({ name, blob, caption }) => ({
      name,
      image: blob,
      caption: caption.trim(),
    }))
    return { kind: 'pairs', name: 'My captions', pairs }
  }
}
