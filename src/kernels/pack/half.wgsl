// f32 bits -> f16 bits by integer arithmetic: WGSL leaves pack2x16float's rounding to the driver.

/// Rounds to the nearest, ties to even. What f16 cannot hold, infinities included, saturates at +-65504; NaN stays NaN.
fn to_half(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return sign | 0x7e00u; }
  if (magnitude >= 0x477ff000u) { return sign | 0x7bffu; }  // 65520 and up
  if (magnitude >= 0x38800000u) {                           // 2^-14 and up: a normal f16
    return sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u);
  }
  let exponent = magnitude >> 23u;
  if (exponent < 102u) { return sign; }                     // below half of the smallest subnormal, 2^-25
  let mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  let shift = 126u - exponent;
  let kept = mantissa >> shift;
  let rest = mantissa & ((1u << shift) - 1u);
  let tie = 1u << (shift - 1u);
  return sign | (kept + select(0u, 1u, rest > tie || (rest == tie && (kept & 1u) == 1u)));
}
