import { phi3Labels } from './labels/marked'
import { markedTurns } from './styles'

/** Cambrian on Phi-3. Source: Cambrian conversation.py, conv_phi3. */
export const phi3 = markedTurns({
  name: 'phi3',
  system: 'You are a helpful AI assistant.',
  head: (system) => `<|system|>\n${system}<|end|>`,
  user: '\n<|user|>\n',
  assistant: '\n<|assistant|>\n',
  end: '<|end|>',
  stop: ['<|end|>'],
  labels: phi3Labels,
})
