// Sine and cosine that hold for any angle in [0, 2^22): drivers' own lose digits quickly above a few turns.
//
// The angle's 24-bit significand is multiplied by 1 / (2 pi) in integers, so the turn's fraction comes out exact to
// 32 bits whatever the optimiser does; polynomials to the last bit of f32 follow on [-pi/4, pi/4].
// Source: Payne & Hanek 1983, "Radian reduction for trigonometric functions".

const INV_TAU_HIGH = 0x28be60dbu;  // the first 64 binary digits of 1 / (2 pi)
const INV_TAU_LOW = 0x9391054au;

/// Upper 32 bits of a * b.
fn mul_high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let mid = a1 * b0 + ((a0 * b0) >> 16u);
  let low = a0 * b1 + (mid & 0xffffu);
  return a1 * b1 + (mid >> 16u) + (low >> 16u);
}

/// (cos, sin) of a non-negative angle in radians.
fn cos_sin(angle: f32) -> vec2f {
  var x = angle;
  var quadrant = 0u;
  if (angle > 0.78) {
    let bits = bitcast<u32>(angle);
    let shift = (bits >> 23u) - 118u;  // exponent + 9; 8..31 here
    let high = INV_TAU_HIGH >> (32u - shift);
    let low = (INV_TAU_HIGH << shift) | (INV_TAU_LOW >> (32u - shift));
    let significand = (bits & 0x7fffffu) | 0x800000u;
    let turn = significand * high + mul_high(significand, low);  // of 2^32
    quadrant = (turn + 0x20000000u) >> 30u;
    x = f32(bitcast<i32>(turn - (quadrant << 30u))) * 1.4629180792671596e-9;  // 2 pi / 2^32
  }
  let x2 = x * x;
  let sine = x + x * x2 * (-1.6666667e-1 + x2 * (8.3333333e-3 + x2 * (-1.9841270e-4 + x2 * 2.7557319e-6)));
  let cosine = 1.0 - x2 * (0.5 - x2 * (4.1666667e-2 - x2 * (1.3888889e-3 - x2 * (2.4801587e-5 - x2 * 2.7557319e-7))));
  let swapped = select(vec2f(cosine, sine), vec2f(sine, cosine), (quadrant & 1u) == 1u);
  let signs = vec2f(
    select(1.0, -1.0, quadrant == 1u || quadrant == 2u),
    select(1.0, -1.0, quadrant >= 2u),
  );
  return swapped * signs;
}
