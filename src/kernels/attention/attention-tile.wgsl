// Softmax attention, tile by tile:  y = softmax(scale * q k^T + mask) v
//
//   q  [B*T, q_row]            vec4f  read   heads H of D4*4 from vector q_start of each row
//   k  [B, KV, D4*4, k_row]    words  read   keys, transposed: a vector holds four neighbouring keys
//   v  strides below           words  read   values, four d a vector
//   y  [B*T, H, D4]            vec4f  write  output
//   lse  [B, H, lse_row]       f32    write  log of the sum of exp(scores), for the backward pass; only if lse_row > 0
//
// A row is a (token, head) pair of one key/value head, r = t * G + g, so that all rows of a workgroup share keys. 8 x 8
// lanes hold 32 rows x 64 keys of scores, 4 x 8 a lane; the scores' exponentials pass through workgroup memory, and each
// lane adds them up into 4 rows x D/8 columns of the output by online softmax. Two barriers a tile of 64 keys; q, k and v
// are read where they lie, in vectors that neighbouring lanes share or adjoin.
// Limits: row t sees keys up to position + t (a position above S is no mask), no more than `window` of them; scores below
// 1e30; 9 KiB of workgroup memory.
// Source: Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135.

struct Params {
  T: u32,
  S: u32,
  G: u32,
  D4: u32,
  position: u32,
  window: u32,
  row_start: u32,
  row_end: u32,
  head_start: u32,
  batch_start: u32,
  q_row: u32,
  q_start: u32,
  k_row: u32,
  k_head: u32,
  k_batch: u32,
  v_row: u32,
  v_start: u32,
  v_head: u32,
  v_batch: u32,
  y_row: u32,
  lse_row: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<KvWords>;
@group(0) @binding(2) var<storage, read> v: array<KvWords>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

const COLUMNS = 2u;  // vectors of the output a lane holds: D4 / 8, rounded up

const MASKED = -3.0e38;
const LOWEST = -1.0e30;  // finite, above MASKED: a row that has seen nothing yet stays free of NaN

var<workgroup> weights: array<vec4f, 512>;  // [32 rows, 64 keys]
var<workgroup> maxima: array<vec4f, 64>;    // [8 groups of 4 rows, 8 lanes of keys]

fn largest(a: vec4f) -> f32 {
  return max(max(a.x, a.y), max(a.z, a.w));
}

/// Scores of keys `first` to `first + 3`, those outside begin .. end - 1 masked.
fn masked(scores: vec4f, first: u32, begin: u32, end: u32) -> vec4f {
  let keys = vec4u(first) + vec4u(0u, 1u, 2u, 3u);
  return select(vec4f(MASKED), scores * params.scale, (keys < vec4u(end)) & (keys >= vec4u(begin)));
}

fn token_of(row: u32) -> u32 {
  return min(row, params.row_end - 1u) / params.G;
}

/// Where row's head starts in rows of `stride` vectors. Rows past the end stand on the last one and are not stored.
fn vector_of(row: u32, batch: u32, kv_head: u32, stride: u32) -> u32 {
  let r = min(row, params.row_end - 1u);
  return (batch * params.T + r / params.G) * stride + (kv_head * params.G + r % params.G) * params.D4;
}

@compute @workgroup_size(64)
fn attention_tile(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane & 7u;
  let ty = lane >> 3u;
  let tile_start = params.row_start + wid.x * 32u;
  let row = tile_start + ty * 4u;
  let kv_head = params.head_start + wid.y;
  let batch = params.batch_start + wid.z;
  let k_base = batch * params.k_batch + kv_head * params.k_head + tx;
  let v_base = batch * params.v_batch + params.v_start + kv_head * params.v_head;
  let q0 = params.q_start + vector_of(row, batch, kv_head, params.q_row);
  let q1 = params.q_start + vector_of(row + 1u, batch, kv_head, params.q_row);
  let q2 = params.q_start + vector_of(row + 2u, batch, kv_head, params.q_row);
  let q3 = params.q_start + vector_of(row + 3u, batch, kv_head, params.q_row);

  // Keys each row sees, and those any row of the tile sees.
  let ends = vec4u(token_of(row), token_of(row + 1u), token_of(row + 2u), token_of(row + 3u)) + params.position + 1u;
  let end = min(ends, vec4u(params.S));
  let begin = max(end, vec4u(params.window)) - params.window;
  let earliest = min(params.position + tile_start / params.G + 1u, params.S);
  let tile_first = (max(earliest, params.window) - params.window) & ~3u;
  let tile_last = min(params.position + token_of(tile_start + 31u) + 1u, params.S);

  var sum0: array<vec4f, COLUMNS>;
  var sum1: array<vec4f, COLUMNS>;
  var sum2: array<vec4f, COLUMNS>;
  var sum3: array<vec4f, COLUMNS>;
  var highest = vec4f(LOWEST);
  var total = vec4f();

  for (var key = tile_first; key < tile_last; key += 64u) {
    var s00 = vec4f();
    var s01 = vec4f();
    var s10 = vec4f();
    var s11 = vec4f();
    var s20 = vec4f();
    var s21 = vec4f();
    var s30 = vec4f();
    var s31 = vec4f();
    var k_at = k_base + key / 4u;
    for (var i = 0u; i < params.D4; i++) {
      let a0 = q[q0 + i];
      let a1 = q[q1 + i];
      let a2 = q[q2 + i];
      let a3 = q[q3 + i];
      for (var j = 0u; j < 4u; j++) {
        let near = widen(k[k_at]);
        let far = widen(k[k_at + 8u]);
        k_at += params.k_row;
        s00 += a0[j] * near;
        s01 += a0[j] * far;
        s10 += a1[j] * near;
        s11 += a1[j] * far;
        s20 += a2[j] * near;
        s21 += a2[j] * far;
        s30 += a3[j] * near;
        s31 += a3[j] * far;
      }
    }
    let near_key = key + tx * 4u;
    let far_key = near_key + 32u;
    s00 = masked(s00, near_key, begin.x, end.x);
    s01 = masked(s01, far_key, begin.x, end.x);
    s10 = masked(s10, near_key, begin.y, end.y);
    s11 = masked(s11, far_key, begin.y, end.y);
    s20 = masked(s20, near_key, begin.z, end.z);
    s21 = masked(s21, far_key, begin.z, end.z);
    s30 = masked(s30, near_key, begin.w, end.w);
    s31 = masked(s31, far_key, begin.w, end.w);

    maxima[lane] = vec4f(
      largest(max(s00, s01)),
      largest(max(s10, s11)),
      largest(max(s20, s21)),
      largest(max(s30, s31)),
    );
    workgroupBarrier();
    var raised = highest;
    for (var i = 0u; i < 8u; i++) { raised = max(raised, maxima[ty * 8u + i]); }
    let keep = exp(highest - raised);
    highest = raised;
    let to = ty * 64u + tx;
    weights[to] = exp(s00 - raised.x);
    weights[to + 8u] = exp(s01 - raised.x);
    weights[to + 16u] = exp(s10 - raised.y);
    weights[to + 24u] = exp(s11 - raised.y);
    weights[to + 32u] = exp(s20 - raised.z);
    weights[to + 40u] = exp(s21 - raised.z);
    weights[to + 48u] = exp(s30 - raised.w);
    weights[to + 56u] = exp(s31 - raised.w);
    workgroupBarrier();

    total *= keep;
    for (var c = 0u; c < COLUMNS; c++) {
      sum0[c] *= keep.x;
      sum1[c] *= keep.y;
      sum2[c] *= keep.z;
      sum3[c] *= keep.w;
    }
    let count = min(16u, (tile_last - key + 3u) / 4u);
    for (var i = 0u; i < count; i++) {
      let p0 = weights[ty * 64u + i];
      let p1 = weights[ty * 64u + i + 16u];
      let p2 = weights[ty * 64u + i + 32u];
      let p3 = weights[ty * 64u + i + 48u];
      total += vec4f(dot(p0, vec4f(1.0)), dot(p1, vec4f(1.0)), dot(p2, vec4f(1.0)), dot(p3, vec4f(1.0)));
      // Keys past the last one have weight 0; the last one's values stand in for theirs.
      let at = vec4u(v_base) + min(vec4u(key + i * 4u) + vec4u(0u, 1u, 2u, 3u), vec4u(tile_last - 1u)) * params.v_row;
      for (var c = 0u; c < COLUMNS; c++) {
        let column = min(tx + c * 8u, params.D4 - 1u);
        let v0 = widen(v[at.x + column]);
        let v1 = widen(v[at.y + column]);
        let v2 = widen(v[at.z + column]);
        let v3 = widen(v[at.w + column]);
        sum0[c] += p0.x * v0 + p0.y * v1 + p0.z * v2 + p0.w * v3;
        sum1[c] += p1.x * v0 + p1.y * v1 + p1.z * v2 + p1.w * v3;
        sum2[c] += p2.x * v0 + p2.y * v1 + p2.z * v2 + p2.w * v3;
        sum3[c] += p3.x * v0 + p3.y * v1 + p3.z * v2 + p3.w * v3;
      }
    }
  }

  if (params.lse_row > 0u && tx < 4u && row + tx < params.row_end) {
    let head = batch * (params.y_row / params.D4) + kv_head * params.G + (row + tx) % params.G;
    lse[head * params.lse_row + token_of(row + tx)] = highest[tx] + log(total[tx]);
  }
  let normal = 1.0 / total;
  for (var c = 0u; c < COLUMNS; c++) {
    let column = tx + c * 8u;
    if (column < params.D4) {
      if (row < params.row_end) { y[vector_of(row, batch, kv_head, params.y_row) + column] = sum0[c] * normal.x; }
      if (row + 1u < params.row_end) { y[vector_of(row + 1u, batch, kv_head, params.y_row) + column] = sum1[c] * normal.y; }
      if (row + 2u < params.row_end) { y[vector_of(row + 2u, batch, kv_head, params.y_row) + column] = sum2[c] * normal.z; }
      if (row + 3u < params.row_end) { y[vector_of(row + 3u, batch, kv_head, params.y_row) + column] = sum3[c] * normal.w; }
    }
  }
}
