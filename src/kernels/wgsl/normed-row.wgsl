// A row that is scaled by the gain of its RMS norm as it is read; the sum of squares behind rstd comes on the way.
// Reads the bindings `x`, `gain` and `params.K4`, `params.eps`. A lane that reads each element of its share once has its
// share of the squares in `squares`.

var<private> squares: vec4f;

fn row_at(i: u32) -> vec4f {
  let value = x[i];
  squares += value * value;
  return value * gain[i];
}

/// 1 / sqrt(mean(x^2) + eps) from the squares of the whole row.
fn rstd_of(all: vec4f) -> f32 {
  return inverseSqrt(dot(all, vec4f(1.0)) / f32(params.K4 * 4u) + params.eps);
}
