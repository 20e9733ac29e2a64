import { chatMlWithoutNewlines } from './styles'

/** LLaVA on MPT. Source: LLaVA conversation.py, conv_mpt. */
export const mpt = chatMlWithoutNewlines(
  'mpt',
  'A conversation between a user and an LLM-based AI assistant. The assistant gives helpful and honest answers.',
)
