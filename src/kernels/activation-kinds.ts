/** Activations that kernels apply: `gelu` is the exact (erf) form, `gelu_tanh` PyTorch's `approximate='tanh'`. */
export type Activation = 'none' | 'gelu' | 'gelu_tanh' | 'quick_gelu' | 'silu'

/** Codes of the activations in WGSL (`ACTIVATION` in wgsl/activations.wgsl). */
export const ACTIVATION_CODE: Readonly<Record<Activation, number>> = {
  none: 0,
  gelu: 1,
  gelu_tanh: 2,
  quick_gelu: 3,
  silu: 4,
}

/** What the gate of a gated MLP goes through: `silu` in SwiGLU (Llama, Qwen2, Phi-3), `gelu_tanh` in GeGLU (Gemma). */
export type GateActivation = Extract<Activation, 'silu' | 'gelu_tanh'>
