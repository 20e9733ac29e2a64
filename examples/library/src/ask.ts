import type { FinishReason, Trilobite } from 'trilobite'

/** A word of an answer, and the tokens it was made of. */
export interface Word {
  readonly text: string
  readonly tokens: number[]
}

interface Asked {
  readonly question: string
  readonly picture: Blob
  /** Stops the answer. */
  readonly signal: AbortSignal
  /** Told of the text so far. */
  readonly onText: (text: string) => void
}

/** Asks about a picture; gives the answer's words when it is complete, or stopped, and why it ended. */
export async function ask(
  trilobite: Trilobite,
  { question, picture, signal, onText }: Asked,
): Promise<{ words: Word[]; finish: FinishReason }> {
  const answer = trilobite.ask({ text: question, images: [picture] }, { signal, maxNewTokens: 128 })
  const pieces: { start: number; end: number; token: number }[] = []
  let text = ''
  for await (const event of answer) {
    if (event.type !== 'token') continue
    const start = text.length
    text += event.text
    pieces.push({ start, end: text.length, token: event.index })
    onText(text)
  }
  const { finish } = await answer.reply
  const words = [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => ({
    text: word,
    tokens: pieces
      .filter(({ start, end }) => start < index + word.length && end > index)
      .map(({ token }) => token),
  }))
  return { words, finish }
}
