// What happens to a finished sum before it is stored:  y = activate(sum + bias) + residual
// Reads the bindings `bias` and `residual`, which are bound to anything when unused, and `params.N`.

override HAS_BIAS: bool = false;
override HAS_RESIDUAL: bool = false;

/// The value to store at row m, column n of y for the sum there.
fn epilogue(sum: f32, m: u32, n: u32) -> f32 {
  var value = sum;
  if (HAS_BIAS) { value += bias[n]; }
  value = activate(value);
  if (HAS_RESIDUAL) { value += residual[m * params.N + n]; }
  return value;
}
