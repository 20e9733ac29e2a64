// Softmax attention of a few query rows over a long cache, one workgroup a range of 256 keys:
//   m = max(s),  l = sum(exp(s - m)),  out = sum(exp(s - m) v)  over the range, s = scale * q k^T
//
//   q      [T, H, D4]                        vec4f  read   queries
//   k      [KV, D4*4, k_row]                 words  read   keys, transposed: a vector holds four neighbouring keys
//   v      [KV, capacity, D4]                words  read   values, four d a vector
//   out    [T*H, splits, D4]                 vec4f  write  sums; with one split divided by l, that is y itself
//   stats  [T*H, splits]                     vec2f  write  m and l for attention-merge.wgsl; untouched with one split
//
// Rows are (token, head) pairs of one key/value head, 4 * QUADS a workgroup, so that a key is read once for all of them.
// For the scores a lane takes four neighbouring keys, with the queries transposed in workgroup memory; for the sums a
// lane takes a column and a share of the keys, and the shares meet in workgroup memory at the end. Six barriers in all.
// Limits: row t sees keys up to position + t, no more than `window` of them; D4 <= 64; 10 KiB of workgroup memory.
// Source: Dao et al. 2023, "Flash-Decoding for long-context inference".

struct Params {
  T: u32,
  S: u32,
  G: u32,
  KV: u32,
  D4: u32,
  position: u32,
  window: u32,
  k_row: u32,
  split_first: u32,  // first range of 256 keys that any row sees
  split_start: u32,  // first of this dispatch, counted from there
  splits: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<KvWords>;
@group(0) @binding(2) var<storage, read> v: array<KvWords>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2f>;
@group(0) @binding(5) var<uniform> params: Params;

const QUADS = 2u;  // groups of four rows a workgroup takes: 1 or 2
const ROWS = 4u * QUADS;

const MASKED = -3.0e38;
const LOWEST = -1.0e30;  // finite, above MASKED: a range of which a row sees nothing stays free of NaN

// One after the other: queries [D, QUADS], weights [256 keys, QUADS], sums [ROWS, 64 lanes].
var<workgroup> vectors: array<vec4f, 512>;
var<workgroup> lane_vectors: array<vec4f, 64u * QUADS>;  // maxima of four rows, then their weights' totals
var<workgroup> top_vectors: array<vec4f, 8u * QUADS>;

fn largest(a: vec4f) -> f32 {
  return max(max(a.x, a.y), max(a.z, a.w));
}

/// Rows past the end stand on the last one and are not stored.
fn head_of(row: u32, kv_head: u32) -> u32 {
  let r = min(row, params.T * params.G - 1u);
  return (r / params.G * params.KV + kv_head) * params.G + r % params.G;
}

fn vector_of(row: u32, kv_head: u32) -> u32 {
  return head_of(row, kv_head) * params.D4;
}

@compute @workgroup_size(64)
fn attention_decode(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let split = params.split_start + wid.x;
  let kv_head = wid.y;
  let first_row = wid.z * ROWS;
  let rows = params.T * params.G;
  let key_start = (params.split_first + split) * 256u;
  let D4 = params.D4;

  for (var i = lane; i < QUADS * D4; i += 64u) {
    let row = first_row + i / D4 * 4u;
    let d4 = i % D4;
    let q0 = q[vector_of(row, kv_head) + d4] * params.scale;
    let q1 = q[vector_of(row + 1u, kv_head) + d4] * params.scale;
    let q2 = q[vector_of(row + 2u, kv_head) + d4] * params.scale;
    let q3 = q[vector_of(row + 3u, kv_head) + d4] * params.scale;
    let to = d4 * 4u * QUADS + i / D4;
    vectors[to] = vec4f(q0.x, q1.x, q2.x, q3.x);
    vectors[to + QUADS] = vec4f(q0.y, q1.y, q2.y, q3.y);
    vectors[to + 2u * QUADS] = vec4f(q0.z, q1.z, q2.z, q3.z);
    vectors[to + 3u * QUADS] = vec4f(q0.w, q1.w, q2.w, q3.w);
  }
  workgroupBarrier();

  var scores: array<vec4f, ROWS>;
  var k_at = kv_head * D4 * 4u * params.k_row + key_start / 4u + lane;
  for (var d = 0u; d < D4 * 4u; d++) {
    let keys = widen(k[k_at]);
    k_at += params.k_row;
    for (var h = 0u; h < QUADS; h++) {
      let a = vectors[d * QUADS + h];
      scores[h * 4u] += a.x * keys;
      scores[h * 4u + 1u] += a.y * keys;
      scores[h * 4u + 2u] += a.z * keys;
      scores[h * 4u + 3u] += a.w * keys;
    }
  }
  let keys = vec4u(key_start + lane * 4u) + vec4u(0u, 1u, 2u, 3u);
  for (var r = 0u; r < ROWS; r++) {
    let end = params.position + min(first_row + r, rows - 1u) / params.G + 1u;
    let begin = max(end, params.window) - params.window;
    scores[r] = select(vec4f(MASKED), scores[r], (keys < vec4u(end)) & (keys >= vec4u(begin)));
  }

  // Maxima over all lanes, in two steps of eight.
  for (var h = 0u; h < QUADS; h++) {
    lane_vectors[h * 64u + lane] = vec4f(
      largest(scores[h * 4u]),
      largest(scores[h * 4u + 1u]),
      largest(scores[h * 4u + 2u]),
      largest(scores[h * 4u + 3u]),
    );
  }
  workgroupBarrier();
  if (lane < 8u * QUADS) {
    var top = vec4f(LOWEST);
    for (var i = 0u; i < 8u; i++) { top = max(top, lane_vectors[lane * 8u + i]); }
    top_vectors[lane] = top;
  }
  workgroupBarrier();
  for (var h = 0u; h < QUADS; h++) {
    var top = vec4f(LOWEST);
    for (var i = 0u; i < 8u; i++) { top = max(top, top_vectors[h * 8u + i]); }
    let p0 = exp(scores[h * 4u] - top.x);
    let p1 = exp(scores[h * 4u + 1u] - top.y);
    let p2 = exp(scores[h * 4u + 2u] - top.z);
    let p3 = exp(scores[h * 4u + 3u] - top.w);
    let to = lane * 4u * QUADS + h;
    vectors[to] = vec4f(p0.x, p1.x, p2.x, p3.x);
    vectors[to + QUADS] = vec4f(p0.y, p1.y, p2.y, p3.y);
    vectors[to + 2u * QUADS] = vec4f(p0.z, p1.z, p2.z, p3.z);
    vectors[to + 3u * QUADS] = vec4f(p0.w, p1.w, p2.w, p3.w);
  }
  workgroupBarrier();

  // Lane = share * D4 + column: every `shares`-th key.
  let shares = 64u / D4;
  let share = lane / D4;
  let column = lane % D4;
  var sums: array<vec4f, ROWS>;
  var totals: array<vec4f, QUADS>;
  if (share < shares) {
    let count = min(256u, params.S - key_start);
    var v_at = (kv_head * params.k_row * 4u + key_start + share) * D4 + column;
    for (var i = share; i < count; i += shares) {
      let value = widen(v[v_at]);
      v_at += shares * D4;
      for (var h = 0u; h < QUADS; h++) {
        let p = vectors[i * QUADS + h];
        totals[h] += p;
        sums[h * 4u] += p.x * value;
        sums[h * 4u + 1u] += p.y * value;
        sums[h * 4u + 2u] += p.z * value;
        sums[h * 4u + 3u] += p.w * value;
      }
    }
  }
  workgroupBarrier();
  for (var r = 0u; r < ROWS; r++) { vectors[r * 64u + lane] = sums[r]; }
  for (var h = 0u; h < QUADS; h++) { lane_vectors[h * 64u + lane] = totals[h]; }
  workgroupBarrier();

  for (var i = lane; i < ROWS * D4; i += 64u) {
    let r = i / D4;
    let c = i % D4;
    let row = first_row + r;
    if (row < rows) {
      var sum = vec4f();
      var total = 0.0;
      for (var s = 0u; s < shares; s++) {
        sum += vectors[r * 64u + s * D4 + c];
        total += lane_vectors[r / 4u * 64u + s * D4][r % 4u];
      }
      let to = head_of(row, kv_head) * params.splits + split;
      if (params.splits == 1u) {
        sum /= total;
      } else if (c == 0u) {
        var top = LOWEST;
        for (var s = 0u; s < 8u; s++) { top = max(top, top_vectors[r / 4u * 8u + s][r % 4u]); }
        stats[to] = vec2f(top, total);
      }
      out[to * D4 + c] = sum;
    }
  }
}
