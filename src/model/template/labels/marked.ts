import type { LabelRuleMaker, TemplateText, TrainingTokenizer } from './definition'
import { llavaRule } from './llava-rule'
import { checkCount, labelRounds, type RoundCounts } from './rounds'

/** Rounds of turns between marks: the system message belongs to the first; the last turn's end is split off. */
function markedRounds(transcript: string, end: string): string[] {
  const turns = transcript.split(end)
  const rounds = [turns.slice(0, 3).join(end)]
  for (let i = 3; i < turns.length; i += 2) rounds.push(turns.slice(i, i + 2).join(end))
  return rounds
}

const marked = (text: TemplateText, countsOf: (tokenizer: TrainingTokenizer) => RoundCounts) =>
  llavaRule({
    text,
    label(transcript, ids, tokenizer) {
      const rounds = markedRounds(transcript, text.end)
      return checkCount(
        ids,
        labelRounds(ids, rounds, text.replyStart, tokenizer, countsOf(tokenizer)),
        tokenizer.paddingTokenId,
      )
    },
  })

/**
 * Replies between ChatML's marks and the mark that ends them. Several rounds add up where the tokenizer adds a BOS and is
 * not `legacy`, or adds none and is.
 *
 * Source: Cambrian, preprocess_mpt.
 */
export const cambrianMptLabels: LabelRuleMaker = (text) =>
  marked(text, ({ legacy }) => ({ start: 1, round: 0, question: -1, later: legacy ? 1 : 0 }))

/**
 * The same without a token for what the first round lacks, so that hardly any conversation adds up: two rounds do where
 * the tokenizer adds a BOS and is `legacy`.
 *
 * Source: LLaVA, preprocess_mpt.
 */
export const llavaMptLabels: LabelRuleMaker = (text) =>
  marked(text, ({ legacy }) => ({ start: 0, round: 0, question: -1, later: legacy ? 1 : 0 }))

/**
 * Replies between Phi-3's marks and the mark that ends them. From the second round on the line's end before the user's
 * mark, which only stands alone where a round does, and the blank before it are taken off. Several rounds add up where
 * the marks swallow the line's end behind them and the tokenizer is not `legacy`.
 *
 * Source: Cambrian, preprocess_phi3.
 */
export const phi3Labels: LabelRuleMaker = (text) =>
  marked(text, ({ legacy }) => ({ start: 1, round: 0, question: -1, later: legacy ? -1 : -2 }))
