// One element type for two widths: kernels written over Vec load 16 bytes at once where rows allow it.
// The host specialises both lines together; see src/kernels/vec.ts.

alias Vec = f32;    // vec4f where the last axis is a multiple of 4
const WIDTH = 1u;  // elements of a Vec: 1 or 4

/// Sum of a Vec's elements. vec4f(v) repeats a scalar, so only its first entry counts then.
fn sum_of(v: Vec) -> f32 {
  let w = vec4f(v);
  return select(w.x, (w.x + w.y) + (w.z + w.w), WIDTH == 4u);
}

/// Largest of a Vec's elements.
fn max_of(v: Vec) -> f32 {
  let w = vec4f(v);
  return max(max(w.x, w.y), max(w.z, w.w));
}
