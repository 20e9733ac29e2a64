import { cambrianMptLabels } from './labels/marked'
import { chatMlWithoutNewlines } from './styles'

/** Cambrian on Nous Hermes 2 Yi: `chatml_direct` there. Source: Cambrian conversation.py, conv_chatml_direct (the second). */
export const cambrianChatMl = chatMlWithoutNewlines(
  'cambrian_chatml',
  'You are Cambrian, a highly intelligent multimodal AI trained by NYU Vision X. As a multimodal AI, you have the ' +
    'ability to process and analyze images. Whenever an image is present in the conversation, very carefully examine ' +
    'it and consider its content when formulating your response. You should give concise responses to very simple ' +
    'questions, but provide thorough responses to more complex and open-ended questions.',
  cambrianMptLabels,
)
