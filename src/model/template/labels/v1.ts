import type { LabelRuleMaker } from './definition'
import { llavaRule } from './llava-rule'
import { checkCount, labelRounds, prefixBehind } from './rounds'

/**
 * Replies and the end behind them, with named speakers.
 *
 * Each round's own BOS stands for the end that splitting took from it; of a question the BOS and the blank behind
 * `ASSISTANT:`, which belongs to the reply's first token, are not counted. A tokenizer without BOS never adds up.
 * Source: LLaVA and Cambrian, preprocess_v1.
 */
export const v1Labels: LabelRuleMaker = (text) =>
  llavaRule({
    text,
    label(transcript, ids, tokenizer) {
      const later = prefixBehind(text.end, text.user, tokenizer)
      const counts = { start: 1, round: 0, question: -2, later }
      const rounds = transcript.split(text.end)
      return checkCount(
        ids,
        labelRounds(ids, rounds, text.replyStart, tokenizer, counts),
        tokenizer.paddingTokenId,
      )
    },
  })
