// Two neighbouring elements of a dense weight's row; layouts in src/kernels/weight.ts.
// Reads the binding `w` (array<Words>: vec2u for f32, u32 for f16 and bf16) and the unpackers of wgsl/weights.wgsl. A word
// that a vector's index picked would cost lavapipe the whole vector's loads.

/// Elements 2 * i and 2 * i + 1, counted from the weight part's start.
fn weight_step(i: u32) -> vec2f {
  let words = vec2u(w[i]);
  switch W_DTYPE {
    case W_F32: { return bitcast<vec2f>(words); }
    case W_F16: { return unpack2x16float(words.x); }
    default: { return unpack_bf16(words.x); }
  }
}
