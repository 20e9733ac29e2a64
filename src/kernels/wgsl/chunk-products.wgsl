// Products of one row with a chunk of each of four weight rows, so that the row is read once for the four and several
// loads are in flight. Quantised chunks are summed as they are; scale and offset are applied once.
// Needs wgsl/chunks.wgsl, and from the kernel `fn x_at(i: u32) -> vec4f`: elements 4 * i to 4 * i + 3 of the row.

/// Sums over chunk `chunk` of the row. `words` are the words of the four chunks' scales, anything for dense weights.
fn chunk_products(chunk: u32, w0: vec4u, w1: vec4u, w2: vec4u, w3: vec4u, words: vec4u) -> vec4f {
  var sums = vec4f();
  var x_sum = vec4f();
  for (var i = 0u; i < CHUNK4; i++) {
    let a = x_at(chunk * CHUNK4 + i);
    sums += a * mat4x4f(unscaled(w0, i), unscaled(w1, i), unscaled(w2, i), unscaled(w3, i));
    x_sum += a;
  }
  if (W_DTYPE != W_Q4 && W_DTYPE != W_Q8) { return sums; }
  let s0 = affine(words.x);
  let s1 = affine(words.y);
  let s2 = affine(words.z);
  let s3 = affine(words.w);
  return vec4f(s0.x, s1.x, s2.x, s3.x) * sums + vec4f(s0.y, s1.y, s2.y, s3.y) * dot(x_sum, vec4f(1.0));
}
