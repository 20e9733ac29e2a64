// Reading weights in whichever layout they are held; see src/kernels/weight.ts for the layouts.
// Only the functions: bindings belong to the kernels that include this.

override W_DTYPE: u32 = 0u;  // 0 f32, 1 f16, 2 bf16, 3 q8, 4 q4

const W_F32 = 0u;
const W_F16 = 1u;
const W_BF16 = 2u;
const W_Q8 = 3u;
const W_Q4 = 4u;

/// Two bf16 in a word, widened: a bf16 is the upper half of an f32.
fn unpack_bf16(word: u32) -> vec2f {
  return vec2f(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
}

/// Four signed bytes in a word.
fn unpack_q8(word: u32) -> vec4f {
  return vec4f(unpack4xI8(word));
}

/// Nibbles 0..3 (`upper` false) or 4..7 of a word.
fn unpack_q4(word: u32, upper: bool) -> vec4f {
  let half = select(word & 0xffffu, word >> 16u, upper);
  return vec4f(vec4u(half, half >> 4u, half >> 8u, half >> 12u) & vec4u(15u));
}
