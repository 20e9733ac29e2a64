import type { Activation } from '../kernels'

/** Hugging Face's `hidden_act` names. `gelu_new` and `gelu_pytorch_tanh` are the same formula. */
export const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  quick_gelu: 'quick_gelu',
  silu: 'silu',
}
