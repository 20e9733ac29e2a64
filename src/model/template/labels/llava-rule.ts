import type { LabelRule, SupervisedConversation, TemplateText, TrainingTokenizer } from './definition'
import { nothingLearned } from './rounds'
import { beforeReply, llavaTurns } from './turns'

/** A rule of LLaVA's kind: a conversation's text is tokenised once, then labelled by `label`. */
export function llavaRule({
  text: { transcript, opening },
  encode = (text, tokenizer) => tokenizer.encode(text),
  label,
}: {
  text: Pick<TemplateText, 'transcript' | 'opening'>
  encode?: (text: string, tokenizer: TrainingTokenizer) => number[]
  label: (text: string, ids: readonly number[], tokenizer: TrainingTokenizer) => SupervisedConversation
}): LabelRule {
  return {
    supervise(conversation, tokenizer) {
      const { messages, problem } = llavaTurns(conversation, tokenizer.imageMark)
      const text = transcript(messages)
      const ids = encode(text, tokenizer)
      return problem === undefined ? label(text, ids, tokenizer) : nothingLearned(ids, problem)
    },
    prompt(conversation, tokenizer) {
      const { messages } = llavaTurns(conversation, tokenizer.imageMark)
      return encode(opening(beforeReply(messages)), tokenizer)
    },
  }
}
