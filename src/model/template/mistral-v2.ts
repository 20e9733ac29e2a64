import { instTurns } from './styles'

/** Mistral's own second format: no blanks around replies. Source: Cambrian conversation.py, conv_mistral_v2. */
export const mistralV2 = instTurns({
  name: 'mistral_v2',
  system: '',
  turnStart: '',
  beforeReply: '',
  afterReply: '',
})
