import type { LabelRule, LabelRuleMaker, TemplateText, TrainingTokenizer } from './definition'
import { checkCount, labelRounds, nothingLearned, prefixBehind, type RoundCounts } from './rounds'
import { beforeReply, tinyLlavaTurns } from './turns'

function tinyLlavaRule(
  text: TemplateText,
  countsOf: (tokenizer: TrainingTokenizer) => RoundCounts,
): LabelRule {
  return {
    supervise(conversation, tokenizer) {
      const { messages, problem } = tinyLlavaTurns(conversation)
      const transcript = text.transcript(messages)
      const ids = tokenizer.encode(transcript)
      if (problem !== undefined) return nothingLearned(ids, problem)
      const rounds = transcript.split(text.end)
      const { eosTokenId, paddingTokenId } = tokenizer
      return checkCount(
        ids,
        labelRounds(ids, rounds, text.replyStart, tokenizer, countsOf(tokenizer)),
        paddingTokenId,
        // Ends that are also padding are counted in the text.
        paddingTokenId === eosTokenId ? rounds.length - 1 : 0,
      )
    },
    prompt(conversation, tokenizer) {
      return tokenizer.encode(text.opening(beforeReply(tinyLlavaTurns(conversation).messages)))
    },
  }
}

/**
 * Replies and the end behind them, for tokenizers that add no BOS.
 *
 * Source: TinyLLaVA Factory, data/template/base.py, make_labels: phi, qwen2_base and qwen2_instruct.
 */
export const tinyLlavaLabels: LabelRuleMaker = (text) =>
  tinyLlavaRule(text, ({ encodeText }) => ({
    start: 0,
    round: encodeText(text.end).length,
    question: -1,
    later: 0,
  }))

/** For tokenizers that add a BOS, as v1Labels. Source: TinyLLaVA Factory, data/template/llama_template.py. */
export const tinyLlavaLlamaLabels: LabelRuleMaker = (text) =>
  tinyLlavaRule(text, (tokenizer) => ({
    start: 1,
    round: 0,
    question: -2,
    later: prefixBehind(text.end, text.user, tokenizer),
  }))

/** For tokenizers that add a BOS and no dummy blank. Source: TinyLLaVA Factory, data/template/gemma_template.py. */
export const tinyLlavaGemmaLabels: LabelRuleMaker = (text) =>
  tinyLlavaRule(text, () => ({ start: 1, round: 0, question: -2, later: 0 }))
