// Four neighbouring elements of a dense weight's row; layouts in src/kernels/weight.ts.
// Reads the binding `w` (array<vec2u>) and the unpackers of wgsl/weights.wgsl.

/// Elements 4 * i to 4 * i + 3, counted from the weight part's start.
fn weight_quad(i: u32) -> vec4f {
  switch W_DTYPE {
    case W_F32: { return vec4f(bitcast<vec2f>(w[2u * i]), bitcast<vec2f>(w[2u * i + 1u])); }
    case W_F16: {
      let words = w[i];
      return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
    }
    default: {
      let words = w[i];
      return vec4f(unpack_bf16(words.x), unpack_bf16(words.y));
    }
  }
}
