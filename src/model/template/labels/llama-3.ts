import type { LabelRuleMaker } from './definition'
import { llavaRule } from './llava-rule'
import { checkCount, ignore } from './rounds'

/** Ids of `<|start_header_id|>assistant<|end_header_id|>` in Llama 3's tokenizer. */
const HEADER = 3

/**
 * Replies and the `<|eot_id|>` behind them, turn by turn. Unlike at inference, no chunk between pictures loses its first
 * id, and a picture counts in the first question only. A tokenizer that adds a BOS adds one to every turn: its counts
 * never add up.
 *
 * Source: Cambrian, preprocess_llama_3 and tokenizer_image_token_llama3.
 */
export const llama3Labels: LabelRuleMaker = (text) =>
  llavaRule({
    text,
    encode: (words, tokenizer) => tokenizer.encodeWhole(words),
    label(transcript, ids, tokenizer) {
      const labels = [...ids]
      let at = 0
      for (const [i, turn] of transcript.split(text.end).entries()) {
        if (turn === '') break
        const words = turn + text.end
        const count = (i === 1 ? tokenizer.encodeWhole(words) : tokenizer.encodeText(words)).length
        // Turn 0 is the system's, then user and assistant alternate.
        const reply = i > 0 && i % 2 === 0
        ignore(labels, at, at + (reply ? HEADER : count))
        at += count
      }
      ignore(labels, at, labels.length)
      // The project pads with a reserved token that no text holds.
      return checkCount(ids, { labels, counted: at }, undefined)
    },
  })
