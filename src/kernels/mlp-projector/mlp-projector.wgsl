// Two linear layers with an activation between, in one pass:  y = act(x W1^T + b1) W2^T + b2
//
//   x   [R, Cv]        f32    read   image features
//   w1  [F, ...]       vec4u  read   first weight, any dtype (src/kernels/weight.ts)
//   s1  [F, K1 / 32]   u32    read   its scales, of q8 and q4; bound to anything for dense weights
//   b1  [F]            f32    read   where HAS_BIAS_1
//   w2  [C, ...]       vec4u  read   second weight, of the same dtype
//   s2  [C, K2 / 32]   u32    read   its scales
//   b2  [C]            f32    read   where HAS_BIAS_2
//   y   [R, C]         f32    write  embeddings for the language model
//
// A workgroup takes ROWS rows of x to workgroup memory and keeps their hidden activations there too; a lane makes
// ROWS x 4 values at a time, so that each weight read serves ROWS rows. Sums are f32.
// Limits: ROWS * (X4 + H4) of at most 1024, which is 16 KiB of workgroup memory. Source: Liu et al. 2023, arXiv:2310.03744 (mlp2x_gelu).

override WG: u32 = 64u;
override HAS_BIAS_1: bool = false;
override HAS_BIAS_2: bool = false;

const ROWS = 8u;  // rows of x a workgroup takes

struct Params {
  R: u32,
  Cv: u32,
  F: u32,
  C: u32,
  X4: u32,         // vec4f in a row of x, padded to the stride of w1
  H4: u32,         // vec4f in a row of hidden activations, padded to the stride of w2
  row_start: u32,  // first row of this dispatch
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w1: array<vec4u>;
@group(0) @binding(2) var<storage, read> s1: array<u32>;
@group(0) @binding(3) var<storage, read> b1: array<f32>;
@group(0) @binding(4) var<storage, read> w2: array<vec4u>;
@group(0) @binding(5) var<storage, read> s2: array<u32>;
@group(0) @binding(6) var<storage, read> b2: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

var<workgroup> tile: array<vec4f, 1024>;  // ROWS rows of x, then ROWS rows of hidden activations

struct Octet {
  lo: vec4f,
  hi: vec4f,
}

/// Where octet i (eight neighbouring elements) of a weight begins, in vec4u.
fn octet_word(i: u32) -> u32 {
  switch W_DTYPE {
    case W_F32: { return 2u * i; }
    case W_Q8: { return i / 2u; }
    case W_Q4: { return i / 4u; }
    default: { return i; }
  }
}

/// Octet i out of the vec4u it begins in and, for f32, the next; `scale` is the word of its block.
fn decode(words: vec4u, next: vec4u, scale: u32, i: u32) -> Octet {
  switch W_DTYPE {
    case W_F32: { return Octet(bitcast<vec4f>(words), bitcast<vec4f>(next)); }
    case W_F16: {
      return Octet(
        vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
        vec4f(unpack2x16float(words.z), unpack2x16float(words.w)),
      );
    }
    case W_BF16: {
      return Octet(
        vec4f(unpack_bf16(words.x), unpack_bf16(words.y)),
        vec4f(unpack_bf16(words.z), unpack_bf16(words.w)),
      );
    }
    case W_Q8: {
      let at = 2u * (i & 1u);
      return Octet(unpack_q8(words[at]) * bitcast<f32>(scale), unpack_q8(words[at + 1u]) * bitcast<f32>(scale));
    }
    default: {
      let affine = unpack2x16float(scale);
      let word = words[i & 3u];
      return Octet(unpack_q4(word, false) * affine.x + affine.y, unpack_q4(word, true) * affine.x + affine.y);
    }
  }
}

fn octet_1(i: u32) -> Octet {
  let at = octet_word(i);
  return decode(w1[at], w1[at + u32(W_DTYPE == W_F32)], s1[select(0u, i / 4u, W_DTYPE >= W_Q8)], i);
}

fn octet_2(i: u32) -> Octet {
  let at = octet_word(i);
  return decode(w2[at], w2[at + u32(W_DTYPE == W_F32)], s2[select(0u, i / 4u, W_DTYPE >= W_Q8)], i);
}

@compute @workgroup_size(WG)
fn mlp_projector(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let hidden = ROWS * params.X4;
  let first = params.row_start + wid.x * ROWS;
  for (var i = lane; i < ROWS * params.X4; i += WG) {
    let row = first + i / params.X4;
    let c = i % params.X4 * 4u;
    var four = vec4f();
    for (var j = 0u; j < 4u; j++) {
      if (row < params.R && c + j < params.Cv) { four[j] = x[row * params.Cv + c + j]; }
    }
    tile[i] = four;
  }
  workgroupBarrier();

  for (var h4 = lane; h4 < params.H4; h4 += WG) {
    let f = vec4u(h4 * 4u) + vec4u(0u, 1u, 2u, 3u);
    // Rows past the end repeat the last one; their values become 0 below.
    let starts = min(f, vec4u(params.F - 1u)) * (params.X4 / 2u);
    var sums = array<vec4f, ROWS>();  // without the value, Dawn keeps the sums of the lap before
    for (var o = 0u; o < params.X4 / 2u; o++) {
      let p = octet_1(starts.x + o);
      let q = octet_1(starts.y + o);
      let r = octet_1(starts.z + o);
      let s = octet_1(starts.w + o);
      for (var i = 0u; i < ROWS; i++) {
        let a = tile[i * params.X4 + 2u * o];
        let b = tile[i * params.X4 + 2u * o + 1u];
        sums[i] += vec4f(dot(a, p.lo), dot(a, q.lo), dot(a, r.lo), dot(a, s.lo)) +
          vec4f(dot(b, p.hi), dot(b, q.hi), dot(b, r.hi), dot(b, s.hi));
      }
    }
    for (var i = 0u; i < ROWS; i++) { tile[hidden + i * params.H4 + h4] = sums[i]; }
  }
  workgroupBarrier();
  // Apart from the loop above, whose body compilers repeat for each row, so that the activation is there but once.
  for (var i = lane; i < ROWS * params.H4; i += WG) {
    let f = i % params.H4 * 4u;
    var four = tile[hidden + i];
    for (var j = 0u; j < 4u; j++) {
      var z = four[j];
      if (HAS_BIAS_1) { z += b1[min(f + j, params.F - 1u)]; }
      four[j] = select(0.0, activate(z), f + j < params.F);
    }
    tile[hidden + i] = four;
  }
  workgroupBarrier();

  for (var c4 = lane; c4 * 4u < params.C; c4 += WG) {
    let c = vec4u(c4 * 4u) + vec4u(0u, 1u, 2u, 3u);
    let starts = min(c, vec4u(params.C - 1u)) * (params.H4 / 2u);
    var sums = array<vec4f, ROWS>();  // without the value, Dawn keeps the sums of the lap before
    for (var o = 0u; o < params.H4 / 2u; o++) {
      let p = octet_2(starts.x + o);
      let q = octet_2(starts.y + o);
      let r = octet_2(starts.z + o);
      let s = octet_2(starts.w + o);
      for (var i = 0u; i < ROWS; i++) {
        let a = tile[hidden + i * params.H4 + 2u * o];
        let b = tile[hidden + i * params.H4 + 2u * o + 1u];
        sums[i] += vec4f(dot(a, p.lo), dot(a, q.lo), dot(a, r.lo), dot(a, s.lo)) +
          vec4f(dot(b, p.hi), dot(b, q.hi), dot(b, r.hi), dot(b, s.hi));
      }
    }
    for (var j = 0u; j < 4u; j++) {
      if (c[j] >= params.C) { break; }
      var bias = 0.0;
      if (HAS_BIAS_2) { bias = b2[c[j]]; }
      for (var i = 0u; i < ROWS; i++) {
        if (first + i < params.R) { y[(first + i) * params.C + c[j]] = sums[i][j] + bias; }
      }
    }
  }
}
