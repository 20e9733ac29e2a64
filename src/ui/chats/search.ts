/** A text without what people leave out as they search: case, accents, forms of the same letter. */
export function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}

/** The words that are looked for. */
export const wordsOf = (query: string): string[] => [...new Set(fold(query).split(/\s+/).filter(Boolean))]

interface Indexed {
  texts: readonly string[]
  folded: readonly string[]
}

/** What was said in chats, ready to be searched. */
export class SearchIndex {
  #chats = new Map<string, Indexed>()

  has(id: string): boolean {
    return this.#chats.has(id)
  }

  put(id: string, texts: readonly string[]) {
    this.#chats.set(id, { texts, folded: texts.map(fold) })
  }

  delete(id: string) {
    this.#chats.delete(id)
  }

  clear() {
    this.#chats.clear()
  }

  /** Those chats that have every word, in their titles or in what was said; in the order they came in. */
  find<Head extends { id: string; title: string }>(heads: readonly Head[], words: readonly string[]): Head[] {
    if (words.length === 0) return [...heads]
    return heads.filter(({ id, title }) => {
      const folded = fold(title)
      const said = this.#chats.get(id)?.folded ?? []
      return words.every((word) => folded.includes(word) || said.some((text) => text.includes(word)))
    })
  }

  /** What surrounds the first of the words that was said in a chat; undefined where its title alone has them. */
  snippet(id: string, words: readonly string[]): Snippet | undefined {
    const { texts = [], folded = [] } = this.#chats.get(id) ?? {}
    // A text with all of the words tells more than one with the first.
    const at = [
      folded.findIndex((text) => words.every((word) => text.includes(word))),
      folded.findIndex((text) => words.some((word) => text.includes(word))),
    ].find((index) => index >= 0)
    return at === undefined ? undefined : snippetOf(texts[at]!, words)
  }
}

/** A piece of a text, cut around what was found. */
export interface Snippet {
  before: string
  match: string
  after: string
}

/** Characters shown before what was found, so that it stays on the first line. */
const LEAD = 24
const TRAIL = 120

/** The first of the words in a text, as it is written there. */
export function snippetOf(text: string, words: readonly string[]): Snippet | undefined {
  const folded = fold(text)
  const [found] = words
    .map((word) => ({ word, at: folded.indexOf(word) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at)
  if (!found) return undefined
  const start = unfolded(text, found.at)
  const end = Math.max(start + 1, unfolded(text, found.at + found.word.length))
  const lead = Math.max(0, start - LEAD)
  const before = text.slice(lead, start)
  const line = (piece: string) => piece.replace(/\s+/g, ' ')
  return {
    // From the start of a word on.
    before: lead > 0 ? `…${line(wellFormed(before).replace(/^\S+\s+(?=\S)/, ''))}` : line(before),
    match: line(text.slice(start, end)),
    after: line(wellFormed(text.slice(end, end + TRAIL))),
  }
}

/** Where in a text that lies which stands at `position` once it is folded. Folding each character gives what folding all does. */
function unfolded(text: string, position: number): number {
  if (isPlain(text)) return position
  let length = 0
  let at = 0
  for (const character of text) {
    if (length >= position && fold(character) !== '') break
    length += fold(character).length
    at += character.length
  }
  return at
}

/** Of these characters folding changes no length. */
const isPlain = (text: string) => /^[\x20-\x7e\n]*$/.test(text)

/** Without half of a character where a cut has left one. */
const wellFormed = (piece: string) => piece.replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, '')
