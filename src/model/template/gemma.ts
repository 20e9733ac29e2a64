import { markedTurns } from './styles'

/** Gemma's own turns. It knows no system role: such words open the conversation. Source: Gemma's model card. */
export const gemma = markedTurns({
  name: 'gemma',
  system: '',
  head: (system) => (system === '' ? '' : `<start_of_turn>user\n${system}<end_of_turn>\n`),
  user: '<start_of_turn>user\n',
  assistant: '<start_of_turn>model\n',
  end: '<end_of_turn>\n',
  stop: ['<end_of_turn>'],
})
