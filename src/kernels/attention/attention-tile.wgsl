// Softmax attention, tile by tile:  y = softmax(scale * q k^T + mask) v
//
//   q    [B, KV, D4*4, q_row]  vec4f  read   queries, transposed: a vector holds four neighbouring rows
//   k    [B, KV, D4*4, k_row]  words  read   keys, transposed: a vector holds four neighbouring keys
//   v    strides below         words  read   values, four d a vector
//   y    [B*T, H, D4]          vec4f  write  output
//   lse  [B, KV, lse_row]      f32    write  log of a row's sum of exponentials, for the backward pass; if lse_row > 0
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
  KV: u32,
  D4: u32,
  position: u32,
  window: u32,
  row_start: u32,
  row_end: u32,
  head_start: u32,
  batch_start: u32,
  q_row: u32,
  k_row: u32,
  v_row: u32,
  v_start: u32,
  v_head: u32,
  v_batch: u32,
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

var<workgroup> weights: array<vec4f, 512>;  // [64 keys, 8 groups of 4 rows], groups xored by key / 4 to spread banks
var<workgroup> maxima: array<vec4f, 64>;    // [8 groups of 4 rows, 8 lanes of keys]

fn largest(a: vec4f) -> f32 {
  return max(max(a.x, a.y), max(a.z, a.w));
}

/// Scores of keys `first` to `first + 3`, those outside begin .. end - 1 masked.
fn masked(scores: vec4f, first: u32, begin: u32, end: u32) -> vec4f {
  let keys = vec4u(first) + vec4u(0u, 1u, 2u, 3u);
  return select(vec4f(MASKED), scores * params.scale, (keys < vec4u(end)) & (keys >= vec4u(begin)));
}

/// Rows past the end stand on the last token and are not stored.
fn token_of(row: u32) -> u32 {
  return min(row, params.row_end - 1u) / params.G;
}

/// Where row's head starts in y.
fn output_of(row: u32, batch: u32, kv_head: u32) -> u32 {
  let head = (batch * params.T + row / params.G) * params.KV * params.G + kv_head * params.G + row % params.G;
  return head * params.D4;
}

@compute @workgroup_size(64)
fn attention_tile(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane & 7u;
  let ty = lane >> 3u;
  let tile_start = params.row_start + wid.x * 32u;
  let row = tile_start + ty * 4u;
  let kv_head = params.head_start + wid.y;
  let batch = params.batch_start + wid.z;
  let q_base = (batch * params.KV + kv_head) * params.D4 * 4u * params.q_row + row / 4u;
  let k_base = (batch * params.KV + kv_head) * params.D4 * 4u * params.k_row + tx;
  let v_base = batch * params.v_batch + params.v_start + kv_head * params.v_head;

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
    var q_at = q_base;
    var k_at = k_base + key / 4u;
    for (var d = 0u; d < params.D4 * 4u; d++) {
      let a = q[q_at];
      let near = widen(k[k_at]);
      let far = widen(k[k_at + 8u]);
      q_at += params.q_row;
      k_at += params.k_row;
      s00 += a.x * near;
      s01 += a.x * far;
      s10 += a.y * near;
      s11 += a.y * far;
      s20 += a.z * near;
      s21 += a.z * far;
      s30 += a.w * near;
      s31 += a.w * far;
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
    let count = min(64u, tile_last - key);
    var raised = highest;
    for (var i = 0u; i < min(8u, (count + 3u) / 4u); i++) { raised = max(raised, maxima[ty * 8u + i]); }
    let keep = exp(highest - raised);
    highest = raised;
    s00 = exp(s00 - raised.x);
    s01 = exp(s01 - raised.x);
    s10 = exp(s10 - raised.y);
    s11 = exp(s11 - raised.y);
    s20 = exp(s20 - raised.z);
    s21 = exp(s21 - raised.z);
    s30 = exp(s30 - raised.w);
    s31 = exp(s31 - raised.w);
    let to = tx * 32u + (ty ^ tx);
    weights[to] = vec4f(s00.x, s10.x, s20.x, s30.x);
    weights[to + 8u] = vec4f(s00.y, s10.y, s20.y, s30.y);
    weights[to + 16u] = vec4f(s00.z, s10.z, s20.z, s30.z);
    weights[to + 24u] = vec4f(s00.w, s10.w, s20.w, s30.w);
    weights[to + 256u] = vec4f(s01.x, s11.x, s21.x, s31.x);
    weights[to + 264u] = vec4f(s01.y, s11.y, s21.y, s31.y);
    weights[to + 272u] = vec4f(s01.z, s11.z, s21.z, s31.z);
    weights[to + 280u] = vec4f(s01.w, s11.w, s21.w, s31.w);
    workgroupBarrier();

    total *= keep;
    for (var c = 0u; c < COLUMNS; c++) {
      sum0[c] *= keep.x;
      sum1[c] *= keep.y;
      sum2[c] *= keep.z;
      sum3[c] *= keep.w;
    }
    var v_at = v_base + key * params.v_row;
    for (var i = 0u; i < count; i++) {
      let p = weights[i * 8u + (ty ^ ((i / 4u) & 7u))];
      total += p;
      for (var c = 0u; c < COLUMNS; c++) {
        let value = widen(v[v_at + min(tx + c * 8u, params.D4 - 1u)]);
        sum0[c] += p.x * value;
        sum1[c] += p.y * value;
        sum2[c] += p.z * value;
        sum3[c] += p.w * value;
      }
      v_at += params.v_row;
    }
  }

  if (params.lse_row > 0u && tx < 4u && row + tx < params.row_end) {
    lse[(batch * params.KV + kv_head) * params.lse_row + row + tx] = highest[tx] + log(total[tx]);
  }
  let normal = 1.0 / total;
  for (var c = 0u; c < COLUMNS; c++) {
    let column = tx + c * 8u;
    if (column < params.D4) {
      if (row < params.row_end) { y[output_of(row, batch, kv_head) + column] = sum0[c] * normal.x; }
      if (row + 1u < params.row_end) { y[output_of(row + 1u, batch, kv_head) + column] = sum1[c] * normal.y; }
      if (row + 2u < params.row_end) { y[output_of(row + 2u, batch, kv_head) + column] = sum2[c] * normal.z; }
      if (row + 3u < params.row_end) { y[output_of(row + 3u, batch, kv_head) + column] = sum3[c] * normal.w; }
    }
  }
}
