// Activations of gated MLPs and their slopes over a whole Vec; needs wgsl/vec.wgsl.
// The same formulas as in activations.wgsl, which works one element at a time.
// Exponents are clamped, so that no finite input gives a NaN.

override GATE: u32 = 4u;  // codes of activation-kinds.ts: 2 gelu_tanh, 4 silu

const GATE_GELU_TANH = 2u;

fn gate_sigmoid(v: Vec) -> Vec {
  return 1.0 / (1.0 + exp(-clamp(v, Vec(-80.0), Vec(80.0))));
}

fn gate_value(v: Vec) -> Vec {
  if (GATE == GATE_GELU_TANH) { return v * gate_sigmoid(1.59576912 * (v + 0.044715 * v * v * v)); }
  return v * gate_sigmoid(v);
}

fn gate_slope(v: Vec) -> Vec {
  if (GATE == GATE_GELU_TANH) {
    let s = gate_sigmoid(1.59576912 * (v + 0.044715 * v * v * v));
    // Past 10 the slope of s is 0 in f32, and v^2 must not overflow against it.
    let near = clamp(v, Vec(-10.0), Vec(10.0));
    return s + near * s * (1.0 - s) * 1.59576912 * (1.0 + 0.134145 * near * near);
  }
  let s = gate_sigmoid(v);
  return s + v * s * (1.0 - s);
}
