import { withImages, type ChatTemplate } from './definition'

/** LLaVA's stage 1 template: pictures and words with nothing around them. Source: LLaVA conversation.py, conv_llava_plain. */
export const plain: ChatTemplate = {
  name: 'plain',
  render: (messages) => messages.map(withImages).join('\n'),
  stop: [],
}
