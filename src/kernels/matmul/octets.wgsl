// Four or eight neighbouring elements of a weight's row, whatever its dtype; layouts in src/kernels/weight.ts.
// Reads the bindings `w` (array<vec4u>) and `scales` (array<u32>) and the unpackers of wgsl/weights.wgsl.

struct Octet {
  lo: vec4f,
  hi: vec4f,
}

/// Elements 8 * i to 8 * i + 7, counted from the weight part's start. Rows are multiples of 32 elements.
fn weight_octet(i: u32) -> Octet {
  switch W_DTYPE {
    case W_F32: { return Octet(bitcast<vec4f>(w[2u * i]), bitcast<vec4f>(w[2u * i + 1u])); }
    case W_F16: {
      let words = w[i];
      return Octet(
        vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
        vec4f(unpack2x16float(words.z), unpack2x16float(words.w)),
      );
    }
    case W_BF16: {
      let words = w[i];
      return Octet(
        vec4f(unpack_bf16(words.x), unpack_bf16(words.y)),
        vec4f(unpack_bf16(words.z), unpack_bf16(words.w)),
      );
    }
    case W_Q8: {
      let scale = bitcast<f32>(scales[i / 4u]);
      let at = 2u * (i & 1u);
      return Octet(unpack_q8(w[i / 2u][at]) * scale, unpack_q8(w[i / 2u][at + 1u]) * scale);
    }
    default: {
      let affine = unpack2x16float(scales[i / 4u]);
      let word = w[i / 4u][i & 3u];
      return Octet(unpack_q4(word, false) * affine.x + affine.y, unpack_q4(word, true) * affine.x + affine.y);
    }
  }
}

/// What matmul-broadcast.wgsl takes at a time.
fn weight_step(i: u32) -> vec4f {
  return weight_quad(i);
}

/// Elements 4 * i to 4 * i + 3, counted likewise.
fn weight_quad(i: u32) -> vec4f {
  switch W_DTYPE {
    case W_F32: { return bitcast<vec4f>(w[i]); }
    case W_F16: {
      let at = 2u * (i & 1u);
      return vec4f(unpack2x16float(w[i / 2u][at]), unpack2x16float(w[i / 2u][at + 1u]));
    }
    case W_BF16: {
      let at = 2u * (i & 1u);
      return vec4f(unpack_bf16(w[i / 2u][at]), unpack_bf16(w[i / 2u][at + 1u]));
    }
    case W_Q8: { return unpack_q8(w[i / 4u][i & 3u]) * bitcast<f32>(scales[i / 8u]); }
    default: {
      let affine = unpack2x16float(scales[i / 8u]);
      return unpack_q4(w[i / 8u][(i / 2u) & 3u], (i & 1u) == 1u) * affine.x + affine.y;
    }
  }
}
