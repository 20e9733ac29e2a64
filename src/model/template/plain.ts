import { plainLabels } from './labels/plain'
import { IMAGE_PLACEHOLDER, type ChatTemplate, type TemplateMessage } from './definition'

/** A picture without words is what stage 1 trains on: the caption follows it at once. */
const line = ({ text, images }: TemplateMessage) =>
  text === '' ? IMAGE_PLACEHOLDER.repeat(images) : `${`${IMAGE_PLACEHOLDER}\n`.repeat(images)}${text}\n`

/**
 * LLaVA's stage 1 template: pictures and words with nothing around them but the line's end, which also ends a caption.
 *
 * Source: LLaVA conversation.py, conv_llava_plain; train.py, preprocess_plain.
 */
export const plain: ChatTemplate = {
  name: 'plain',
  render: (messages) => messages.map(line).join(''),
  stop: ['\n'],
  labels: plainLabels,
}
