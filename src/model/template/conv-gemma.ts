import { markedTurns } from './styles'

/**
 * Cambrian on Gemma: a turn's end stands before the first turn too, because the empty system message is closed.
 *
 * Source: Cambrian conversation.py, conv_gemma.
 */
export const convGemma = markedTurns({
  name: 'conv_gemma',
  system: '',
  head: (system) => `${system}<end_of_turn>\n`,
  user: '<start_of_turn>user\n',
  assistant: '<start_of_turn>model\n',
  end: '<end_of_turn>\n',
  stop: ['<end_of_turn>'],
})
