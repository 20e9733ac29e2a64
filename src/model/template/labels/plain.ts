import { TemplateError } from '../../errors'
import { IGNORED } from '../../train/definition'
import { IMAGE_PLACEHOLDER } from '../definition'
import type { LabelRule } from './definition'
import { nothingLearned } from './rounds'

/**
 * A picture and its caption with the end behind it, alone: what the human says is dropped, and one picture stands however
 * often it is named.
 *
 * Source: LLaVA train.py, preprocess_plain; TinyLLaVA Factory, data/template/pretrain_template.py. Both end a caption
 * with the line's end; EOS is what a chat model's replies end with.
 */
export const plainLabels: LabelRule = {
  supervise(conversation, tokenizer, { captionEnd }) {
    const { eosTokenId } = tokenizer
    if (captionEnd === 'eos' && eosTokenId === undefined) {
      throw new TemplateError(
        'plain template: captions were to end with EOS, but this tokenizer has no eos_token. Choose the line end.',
      )
    }
    const head = tokenizer.encode(IMAGE_PLACEHOLDER)
    const [human, gpt] = conversation
    if (conversation.length !== 2 || human!.from !== 'human' || gpt!.from !== 'gpt') {
      return nothingLearned(
        head,
        `the plain template takes one question and one caption, and it has ${conversation.length} turns ` +
          `(${conversation.map(({ from }) => from).join(', ')}). Use a chat template for conversations`,
      )
    }
    if (gpt!.value.includes(IMAGE_PLACEHOLDER)) {
      return nothingLearned(head, `its caption holds ${IMAGE_PLACEHOLDER}. Take it out`)
    }
    const tail =
      captionEnd === 'eos'
        ? [...tokenizer.encodeBare(gpt!.value), eosTokenId!]
        : tokenizer.encodeBare(`${gpt!.value}\n`)
    return { ids: [...head, ...tail], labels: [...head.map(() => IGNORED), ...tail] }
  },
  prompt: (_, tokenizer) => tokenizer.encode(IMAGE_PLACEHOLDER),
}
