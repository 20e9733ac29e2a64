import { llama2Labels } from './labels/llama-2'
import { instTurns } from './styles'

/** LLaVA on Llama 2 Chat. Source: LLaVA conversation.py, conv_llava_llama_2. */
export const llavaLlama2 = instTurns({
  name: 'llava_llama_2',
  system:
    'You are a helpful language and vision assistant. ' +
    'You are able to understand the visual content that the user provides, ' +
    'and assist the user with a variety of tasks using natural language.',
  turnStart: '<s>',
  beforeReply: ' ',
  afterReply: ' ',
  labels: llama2Labels,
})
