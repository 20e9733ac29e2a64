// Activations of the field and their derivatives, one element at a time.
// Only functions: include it and call `activate` / `activate_grad`, or one function by name.
//
//   gelu        x * Phi(x), the exact (erf) form
//   gelu_tanh   0.5 x (1 + tanh(u)),  u = sqrt(2/pi) (x + 0.044715 x^3),  written as x * sigmoid(2u)
//   quick_gelu  x * sigmoid(1.702 x)
//   silu        x * sigmoid(x)
//
// Exponents are clamped, so that no finite input gives a NaN: WGSL lets drivers assume there are no infinities.
// erf: Abramowitz & Stegun 7.1.26, |error| <= 1.5e-7; GELU's error stays below 3e-7 + rounding.

override ACTIVATION: u32 = 0u;  // 0 none, 1 gelu, 2 gelu_tanh, 3 quick_gelu, 4 silu

const A_NONE = 0u;
const A_GELU = 1u;
const A_GELU_TANH = 2u;
const A_QUICK_GELU = 3u;
const A_SILU = 4u;

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-clamp(x, -80.0, 80.0)));
}

/// erfc(|x| / sqrt 2): twice the normal distribution's mass beyond |x|.
fn two_tails(x: f32) -> f32 {
  let z = abs(x) * 0.70710678;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return series * exp(-min(z * z, 80.0));
}

fn gelu(x: f32) -> f32 {
  return max(x, 0.0) - 0.5 * abs(x) * two_tails(x);
}

fn gelu_grad(x: f32) -> f32 {
  let tail = 0.5 * two_tails(x);
  let mass = select(tail, 1.0 - tail, x >= 0.0);
  return mass + x * 0.39894228 * exp(-min(0.5 * x * x, 80.0));
}

fn gelu_tanh(x: f32) -> f32 {
  return x * sigmoid(1.59576912 * (x + 0.044715 * x * x * x));
}

fn gelu_tanh_grad(x: f32) -> f32 {
  let s = sigmoid(1.59576912 * (x + 0.044715 * x * x * x));
  // Past |x| = 10 the slope of s is 0 in f32, and x^2 must not overflow against it.
  let near = clamp(x, -10.0, 10.0);
  return s + near * s * (1.0 - s) * 1.59576912 * (1.0 + 0.134145 * near * near);
}

fn quick_gelu(x: f32) -> f32 {
  return x * sigmoid(1.702 * x);
}

fn quick_gelu_grad(x: f32) -> f32 {
  let s = sigmoid(1.702 * x);
  return s + 1.702 * x * s * (1.0 - s);
}

fn silu(x: f32) -> f32 {
  return x * sigmoid(x);
}

fn silu_grad(x: f32) -> f32 {
  let s = sigmoid(x);
  return s + x * s * (1.0 - s);
}

fn activate(x: f32) -> f32 {
  switch ACTIVATION {
    case A_GELU: { return gelu(x); }
    case A_GELU_TANH: { return gelu_tanh(x); }
    case A_QUICK_GELU: { return quick_gelu(x); }
    case A_SILU: { return silu(x); }
    default: { return x; }
  }
}

fn activate_grad(x: f32) -> f32 {
  switch ACTIVATION {
    case A_GELU: { return gelu_grad(x); }
    case A_GELU_TANH: { return gelu_tanh_grad(x); }
    case A_QUICK_GELU: { return quick_gelu_grad(x); }
    case A_SILU: { return silu_grad(x); }
    default: { return 1.0; }
  }
}
