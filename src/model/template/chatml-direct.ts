import { llavaMptLabels } from './labels/marked'
import { chatMlWithoutNewlines } from './styles'

/** LLaVA on Nous Hermes 2 Yi. Source: LLaVA conversation.py, conv_chatml_direct. */
export const chatMlDirect = chatMlWithoutNewlines('chatml_direct', 'Answer the questions.', llavaMptLabels)
