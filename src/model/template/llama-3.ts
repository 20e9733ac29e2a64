import { llama3Labels } from './labels/llama-3'
import { markedTurns } from './styles'

const header = (role: string) => `<|start_header_id|>${role}<|end_header_id|>`

/**
 * Cambrian on Llama 3. Unlike Meta's template, no newlines follow the headers; the blanks inside the system message are
 * part of it.
 *
 * Source: Cambrian conversation.py, conv_llama_3.
 */
export const llama3 = markedTurns({
  name: 'llama_3',
  system:
    'You are Cambrian, a highly intelligent multimodal AI trained by NYU Vision X. \n' +
    '    As a multimodal AI, you have the ability to process and analyze images. Whenever an image is present in the ' +
    'conversation, very carefully examine it and consider its content when formulating your response.\n' +
    '    You should give concise responses to very simple questions, but provide thorough responses to more complex ' +
    'and open-ended questions. ',
  head: (system) => (system === '' ? '' : `<|begin_of_text|>${header('system')}${system}<|eot_id|>`),
  user: header('user'),
  assistant: header('assistant'),
  end: '<|eot_id|>',
  stop: ['<|eot_id|>'],
  labels: llama3Labels,
})
