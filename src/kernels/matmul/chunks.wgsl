// A 16-byte chunk of a weight's row as it is held, four elements at a time; layouts in src/kernels/weight.ts.
// Reads the binding `scales` (array<u32>) and the unpackers of wgsl/weights.wgsl; the kernel loads the chunks.

const CHUNK = 4u;  // elements of 16 bytes: 4 f32, 8 f16 or bf16, 16 q8, 32 q4
const CHUNK4 = CHUNK / 4u;

/// Scale and offset of a chunk's quantised values.
fn affine_of(chunk: u32) -> vec2f {
  if (W_DTYPE == W_Q4) { return unpack2x16float(scales[chunk]); }
  if (W_DTYPE == W_Q8) { return vec2f(bitcast<f32>(scales[chunk / 2u]), 0.0); }
  return vec2f(1.0, 0.0);
}

/// Elements 4 * i to 4 * i + 3 of a chunk, before scale and offset.
fn unscaled(words: vec4u, i: u32) -> vec4f {
  switch W_DTYPE {
    case W_F32: { return bitcast<vec4f>(words); }
    case W_F16: { return vec4f(unpack2x16float(words[2u * i]), unpack2x16float(words[2u * i + 1u])); }
    case W_BF16: { return vec4f(unpack_bf16(words[2u * i]), unpack_bf16(words[2u * i + 1u])); }
    case W_Q8: { return unpack_q8(words[i]); }
    default: { return unpack_q4(words[i / 2u], (i & 1u) == 1u); }
  }
}
