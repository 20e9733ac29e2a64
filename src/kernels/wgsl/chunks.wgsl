// A 16-byte chunk of a weight's row as it is held, four elements at a time; layouts in src/kernels/weight.ts.
// Needs the unpackers of wgsl/weights.wgsl; kernels load the chunks and the words of their scales.

const CHUNK = 4u;  // elements of 16 bytes: 4 f32, 8 f16 or bf16, 16 q8, 32 q4
const CHUNK4 = CHUNK / 4u;
const BLOCK = 32u;  // elements of a quantised block, which share a word of scales

/// Index of the word of scales that a chunk's elements share.
fn block_of(chunk: u32) -> u32 {
  return chunk * CHUNK / BLOCK;
}

/// Scale and offset of quantised values from their block's word; (1, 0) for dense weights.
fn affine(word: u32) -> vec2f {
  if (W_DTYPE == W_Q4) { return unpack2x16float(word); }
  if (W_DTYPE == W_Q8) { return vec2f(bitcast<f32>(word), 0.0); }
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
