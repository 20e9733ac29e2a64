import type { LabelRuleMaker } from './definition'
import { llavaRule } from './llava-rule'
import { checkCount, labelRounds } from './rounds'

/**
 * Replies behind `[/INST]` and the end behind them, counted as in v1Labels but alike in every round.
 *
 * Source: LLaVA and Cambrian, preprocess_llama_2.
 */
export const llama2Labels: LabelRuleMaker = (text) =>
  llavaRule({
    text,
    label(transcript, ids, tokenizer) {
      const counts = { start: 1, round: 0, question: -2, later: 0 }
      const rounds = transcript.split(text.end)
      return checkCount(
        ids,
        labelRounds(ids, rounds, text.replyStart, tokenizer, counts),
        tokenizer.paddingTokenId,
      )
    },
  })
