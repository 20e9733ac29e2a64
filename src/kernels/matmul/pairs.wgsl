// Two or four neighbouring elements of a dense weight's row; layouts in src/kernels/weight.ts.
// Reads the binding `w` (array<vec2u>) and the unpackers of wgsl/weights.wgsl.

/// Elements 2 * i and 2 * i + 1, counted from the weight part's start.
fn weight_step(i: u32) -> vec2f {
  switch W_DTYPE {
    case W_F32: { return bitcast<vec2f>(w[i]); }
    case W_F16: { return unpack2x16float(w[i / 2u][i & 1u]); }
    default: { return unpack_bf16(w[i / 2u][i & 1u]); }
  }
}

/// Elements 4 * i to 4 * i + 3, counted likewise.
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
