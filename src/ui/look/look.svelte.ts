import { SvelteMap } from 'svelte/reactivity'
import type { Look as Told, LookImage, LookRequest } from '../../worker/api'
import type { Picture } from '../chat/pictures'
import { nameAndMessage } from '../text/explain'
import type { Word } from './words'

/** What the last reply leaves to be looked into. */
export interface Lookable {
  words: readonly Word[]
  /** Of the whole prompt, in the engine's order. */
  pictures: readonly Picture[]
  /** Vision towers whose shares can be told; empty where there is one. */
  towers: readonly string[]
}

type Ask = (request: LookRequest) => Promise<Told>

/**
 * Where an answer looks, while the reader looks there. Asks the engine for what is shown and nothing ahead; what was
 * told once is kept.
 */
export class Look {
  readonly words: readonly Word[]
  readonly pictures: readonly Picture[]
  readonly towers: readonly string[]

  view = $state<'words' | 'towers'>('words')
  /** Number of the word whose map is wanted. */
  chosen = $state(0)
  /** Picture whose towers are shown. */
  picture = $state(0)
  isBusy = $state(false)
  /** Why nothing can be shown, in the engine's words. */
  problem = $state('')

  readonly #told = new SvelteMap<string, LookImage[]>()
  #ask: Ask

  /** Maps of what is chosen, once known. */
  readonly images = $derived(this.#told.get(this.#key()))

  constructor({ words, pictures, towers }: Lookable, ask: Ask) {
    this.words = words
    this.pictures = pictures
    this.towers = towers
    this.#ask = ask
    this.chosen = mainWord(words)
  }

  #key(): string {
    return this.view === 'words' ? `word ${this.chosen}` : `towers ${this.picture}`
  }

  choose(word: number) {
    this.chosen = word
    void this.update()
  }

  show(view: 'words' | 'towers') {
    this.view = view
    void this.update()
  }

  showPicture(picture: number) {
    this.picture = picture
    void this.update()
  }

  /** Asks until what is chosen is known. Choices overtaken by later ones are never asked about. */
  async update() {
    if (this.isBusy) return
    this.isBusy = true
    this.problem = ''
    try {
      for (let key = this.#key(); !this.#told.has(key); key = this.#key()) {
        const { images } = await this.#ask(
          this.view === 'words'
            ? { kind: 'word', tokens: this.words[this.chosen]!.tokens }
            : { kind: 'towers', image: this.picture },
        )
        this.#told.set(key, images)
      }
    } catch (error) {
      this.problem = nameAndMessage(error).message
    } finally {
      this.isBusy = false
    }
  }
}

/** The word that is shown first: the longest is seldom an article. */
function mainWord(words: readonly Word[]): number {
  let longest = 0
  words.forEach(({ text }, at) => {
    if (text.length > words[longest]!.text.length) longest = at
  })
  return longest
}
