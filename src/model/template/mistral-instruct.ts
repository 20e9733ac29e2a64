import { llama2Labels } from './labels/llama-2'
import { instTurns } from './styles'

/** LLaVA on Mistral Instruct. Source: LLaVA conversation.py, conv_mistral_instruct. */
export const mistralInstruct = instTurns({
  name: 'mistral_instruct',
  system: '',
  turnStart: '',
  beforeReply: ' ',
  afterReply: ' ',
  labels: llama2Labels,
})
