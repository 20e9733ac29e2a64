import { markedTurns } from './styles'

/** ChatML as Qwen writes it, with newlines between turns (`qwen_1_5` in LLaVA-NeXT). Source: Qwen's model cards. */
export const chatMl = markedTurns({
  name: 'chatml',
  system: 'You are a helpful assistant.',
  head: (system) => (system === '' ? '' : `<|im_start|>system\n${system}<|im_end|>\n`),
  user: '<|im_start|>user\n',
  assistant: '<|im_start|>assistant\n',
  end: '<|im_end|>\n',
  stop: ['<|im_end|>'],
})
