import { IGNORED } from '../../train/definition'
import type { SupervisedConversation, TrainingTokenizer } from './definition'

/** How a project's routine counts the tokens of a round, which is a question and its reply. */
export interface RoundCounts {
  /** Ids before the first round, never learned: the BOS. */
  readonly start: number
  /** Added to the count of every round, which has a BOS of its own and lacks its end. */
  readonly round: number
  /** Added to the count of what stands before a reply. */
  readonly question: number
  /** Added to both counts from the second round on. */
  readonly later: number
}

/** Takes a stretch of tokens out of what is learned; bounds beyond the end are cut, as in a Python slice. */
export function ignore(labels: number[], from: number, to: number): void {
  labels.fill(IGNORED, Math.min(from, labels.length), Math.max(from, Math.min(to, labels.length)))
}

/**
 * Labels of replies, found by counting the tokens of each round on its own.
 *
 * Returns: them, and how many tokens the rounds come to. A round that is not one question and one reply ends the count.
 * Source: LLaVA train.py, preprocess_v1 and its likes; TinyLLaVA Factory, data/template/base.py, _make_masks.
 */
export function labelRounds(
  ids: readonly number[],
  rounds: readonly string[],
  replyStart: string,
  tokenizer: TrainingTokenizer,
  counts: RoundCounts,
): { labels: number[]; counted: number } {
  const labels = [...ids]
  ignore(labels, 0, counts.start)
  let at = counts.start
  for (const [i, round] of rounds.entries()) {
    const parts = round.split(replyStart)
    if (round === '' || parts.length !== 2) break
    const shift = i > 0 ? counts.later : 0
    const question = tokenizer.encode(parts[0]! + replyStart).length
    ignore(labels, at, at + question + counts.question + shift)
    at += tokenizer.encode(round).length + counts.round + shift
  }
  ignore(labels, at, labels.length)
  return { labels, counted: at }
}

/**
 * Gives a conversation up where the rounds do not come to as many tokens as it has, as the projects do.
 *
 * `uncounted` is how many tokens of the conversation the project leaves out of its count but means to count.
 */
export function checkCount(
  ids: readonly number[],
  { labels, counted }: { labels: readonly number[]; counted: number },
  padding: number | undefined,
  uncounted = 0,
): SupervisedConversation {
  const total = ids.filter((id) => id !== padding).length + uncounted
  if (counted === total) return { ids, labels }
  return nothingLearned(
    ids,
    `its rounds come to ${counted} tokens and it has ${total}, so that the original project learns nothing of it. ` +
      'Use a template that belongs to the tokenizer, or one round a row',
  )
}

/** A conversation that is given up. */
export const nothingLearned = (ids: readonly number[], masked: string): SupervisedConversation => ({
  ids,
  labels: ids.map(() => IGNORED),
  masked,
})

/**
 * By how many tokens a round is shorter behind the end of another than on its own: some tokenizers put their dummy blank
 * only at the beginning of a text, others behind every special token.
 *
 * The projects tell the two by the slow tokenizer's flag `legacy`, and subtract 1. Files in tokenizer.json's form carry
 * the flag without always behaving so; asking the tokenizer gives the same number wherever theirs adds up.
 */
export function prefixBehind(end: string, beginning: string, { encodeBare }: TrainingTokenizer): number {
  return encodeBare(end + beginning).length - encodeBare(end).length - encodeBare(beginning).length
}
