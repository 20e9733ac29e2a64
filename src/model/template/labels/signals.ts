import type { Utterance } from '../../train/definition'
import type { LabelRuleMaker, TrainingTokenizer } from './definition'
import { ignore } from './rounds'
import { imageFirst } from './turns'

/** Stands before every turn and behind the last. */
const SIGNAL = '### '

/**
 * Everything but the words of questions, in a text of its own that is not the one at inference: `### Human: ...\n`.
 *
 * Each turn is counted with its own BOS and its own dummy blank, so that what is learned drifts a little from turn to
 * turn; nothing checks the counts.
 * Source: LLaVA train.py, preprocess (its last part), _add_speaker_and_signal and _mask_targets.
 */
export const signalLabels: LabelRuleMaker = ({ system, user, assistant }) => {
  function piecesOf(conversation: readonly Utterance[], { imageMark }: TrainingTokenizer) {
    const [first, ...rest] = conversation
    const own = first?.from === 'system'
    const turns = (own ? rest : conversation).map(({ from, value }) => ({
      from,
      text: `${SIGNAL}${from === 'human' ? user : assistant}: ${imageFirst(value, imageMark)}\n`,
    }))
    return { header: `${own ? first.value : system}\n\n`, turns }
  }
  return {
    supervise(conversation, tokenizer) {
      const { header, turns } = piecesOf(conversation, tokenizer)
      const ids = tokenizer.encode(`${header}${turns.map(({ text }) => text).join('')}${SIGNAL}`)
      const labels = [...ids]
      let at = tokenizer.encode(header).length
      ignore(labels, 0, at)
      for (const { from, text } of turns) {
        const count = tokenizer.encode(text).length
        if (from === 'human') ignore(labels, at + 2, at + count)
        at += count
      }
      return { ids, labels }
    },
    prompt(conversation, tokenizer) {
      const { header, turns } = piecesOf(conversation, tokenizer)
      const reply = turns.findIndex(({ from }) => from === 'gpt')
      const asked = turns.slice(0, reply < 0 ? turns.length : reply)
      return tokenizer.encode(`${header}${asked.map(({ text }) => text).join('')}${SIGNAL}${assistant}:`)
    },
  }
}
