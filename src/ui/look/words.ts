/** Text that came with a token; empty where the token only began a character, or text was held back. */
export interface Piece {
  text: string
  /** Of the token among those of the reply. */
  index: number
}

/** A word of a reply and the tokens that spell it. */
export interface Word {
  text: string
  tokens: number[]
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' })

/** The words in a text, without spaces and punctuation, and where they start. */
export function segmentWords(text: string): { text: string; start: number }[] {
  return [...segmenter.segment(text)]
    .filter(({ isWordLike }) => isWordLike)
    .map(({ segment, index }) => ({ text: segment, start: index }))
}

/**
 * Words with their tokens. A token that gave no text of its own belongs to the text that came next.
 *
 * `tokenCount`: how many ids the reply has; text that was held back to its end names one more.
 */
export function wordsOf(pieces: readonly Piece[], tokenCount: number): Word[] {
  const spans: { start: number; end: number; tokens: number[] }[] = []
  let text = ''
  let waiting: number[] = []
  for (const piece of pieces) {
    if (piece.index < tokenCount) waiting.push(piece.index)
    if (!piece.text) continue
    const start = text.length
    text += piece.text
    // Without a token of its own it was held back from the last one.
    const tokens = waiting.length ? waiting : [tokenCount - 1]
    spans.push({ start, end: text.length, tokens })
    waiting = []
  }
  let first = 0
  return segmentWords(text).map(({ text: word, start }) => {
    const end = start + word.length
    const tokens = new Set<number>()
    // Words and spans both go forward; a span may reach into the next word.
    while (first < spans.length && spans[first]!.end <= start) first++
    for (let at = first; at < spans.length && spans[at]!.start < end; at++) {
      for (const token of spans[at]!.tokens) tokens.add(token)
    }
    return { text: word, tokens: [...tokens] }
  })
}

/** How far ahead a shown word is looked for among a reply's: markdown hides some of them, such as addresses. */
const LOOKAHEAD = 40

/**
 * Which word of the reply each shown word is, in order; undefined where the page shows one the reply has not.
 */
export function alignWords(shown: readonly string[], words: readonly Word[]): (number | undefined)[] {
  let next = 0
  return shown.map((text) => {
    for (let at = next; at < Math.min(words.length, next + LOOKAHEAD); at++) {
      if (words[at]!.text !== text) continue
      next = at + 1
      return at
    }
    return undefined
  })
}
