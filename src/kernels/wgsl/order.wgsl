// Floats as integers of the same order, so that they are compared, ranked and searched without float surprises:
// drivers may assume that no NaN and no infinity exists, integers they must take as they are.

const NAN_KEY = 0xffffffffu;       // any NaN; above everything, as in torch.argmax
const INFINITY_KEY = 0xff800000u;  // +infinity
const LOWEST_KEY = 0x00800000u;    // the most negative finite number; -infinity lies below

/// Key of the f32 with these bits: a < b means order_key(a) < order_key(b), and -0 equals 0.
fn order_key(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  let key = select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u && magnitude != 0u);
  return select(key, NAN_KEY, magnitude > 0x7f800000u);
}

/// The finite number a key was made from.
fn order_value(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, (key & 0x80000000u) != 0u));
}

/// 0 where a largest key lets a token be chosen; else 1 for a NaN, 2 for +infinity, 3 where all are -infinity.
fn order_status(largest: u32) -> u32 {
  if (largest == NAN_KEY) { return 1u; }
  if (largest >= INFINITY_KEY) { return 2u; }
  return select(0u, 3u, largest < LOWEST_KEY);
}
