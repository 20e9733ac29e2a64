// Elements of a checkpoint's bytes: `raw` (declared by the kernel that includes this) holds them as u32 words,
// so 16-bit elements lie two to a word, the first in the low half.

override RAW_DTYPE: u32 = 0u;  // 0 f32, 1 f16, 2 bf16

const RAW_F32 = 0u;
const RAW_F16 = 1u;
const RAW_BF16 = 2u;

/// Bits of 16-bit element i.
fn raw_half(i: u32) -> u32 {
  return (raw[i >> 1u] >> ((i & 1u) * 16u)) & 0xffffu;
}

/// Element i as the bits of an f32. Exact, NaN and infinities included, for f32 and bf16.
fn raw_bits(i: u32) -> u32 {
  if (RAW_DTYPE == RAW_F32) { return raw[i]; }
  if (RAW_DTYPE == RAW_BF16) { return raw_half(i) << 16u; }
  return bitcast<u32>(unpack2x16float(raw_half(i)).x);
}

fn raw_value(i: u32) -> f32 {
  return bitcast<f32>(raw_bits(i));
}
