import { chatMlWithoutNewlines } from './styles'

/** Vary-toy: `mpt` there. Source: Vary-toy conversation.py, conv_mpt. */
export const varyMpt = chatMlWithoutNewlines(
  'vary_mpt',
  'You should follow the instructions carefully and explain your answers in detail.',
)
