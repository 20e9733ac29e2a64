// Two neighbouring elements of an f32 weight's row. Reads the binding `w` (array<vec2u>).

/// Elements 2 * i and 2 * i + 1, counted from the weight part's start.
fn weight_step(i: u32) -> vec2f {
  return bitcast<vec2f>(w[i]);
}
