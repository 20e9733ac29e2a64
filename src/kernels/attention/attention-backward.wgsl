// Gradients of causal softmax attention, tile by tile. With P = exp(scale * q k^T - lse) and dS = P * (dy v^T - delta):
//   MODE 0:  dq = scale * dS k        rows are queries, columns are keys
//   MODE 1:  dk = scale * dS^T q      rows are keys, columns are queries
//   MODE 2:  dv = P^T dy              rows are keys, columns are queries
//
//   a       [KV, D4*4, a_row]    vec4f  read   q (MODE 0) or k, transposed: a vector holds four neighbouring rows
//   b       [KV, D4*4, b_row]    vec4f  read   k (MODE 0) or q, transposed: a vector holds four neighbouring columns
//   da      [KV, D4*4, a_row]    vec4f  read   dy (MODE 0) or v, beside a; any buffer in MODE 2
//   db      [KV, D4*4, b_row]    vec4f  read   v (MODE 0) or dy, beside b; any buffer in MODE 2
//   values  [T, heads, D4]       vec4f  read   k (MODE 0), q (MODE 1) or dy (MODE 2)
//   lse     [KV, T*G]            vec4f  read   of the forward pass, four neighbouring queries a vector
//   delta   [KV, T*G]            vec4f  read   sum(dy * y) of each query
//   grad    [T, heads, D4]       vec4f  write  dq, dk or dv
//
// A query is a (token, head) pair of one key/value head, r = t * G + g; rows of 4 vectors are padded to whole ones.
// 8 x 8 lanes hold 32 rows x 32 columns of P or dS, 4 x 4 a lane; they pass through workgroup memory and are added up
// into 4 rows x D/8 columns of the gradient a lane. Scores are made anew in each mode, so nothing of size T x T is
// ever stored, and every sum has one owner that adds in a fixed order: the same inputs give the same bits.
// Limits: 4 KiB of workgroup memory; token t sees keys up to t, no more than `window` of them.
// Source: Dao et al. 2022, arXiv:2205.14135, appendix B.

struct Params {
  T: u32,
  G: u32,  // query heads a key/value head
  KV: u32,
  D4: u32,
  window: u32,
  row_start: u32,
  row_end: u32,
  head_start: u32,
  a_row: u32,  // vectors of four
  b_row: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read> da: array<vec4f>;
@group(0) @binding(3) var<storage, read> db: array<vec4f>;
@group(0) @binding(4) var<storage, read> values: array<vec4f>;
@group(0) @binding(5) var<storage, read> lse: array<vec4f>;
@group(0) @binding(6) var<storage, read> delta: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> grad: array<vec4f>;
@group(0) @binding(8) var<uniform> params: Params;

override MODE: u32 = 0u;

const COLUMNS = 2u;  // vectors of the gradient a lane holds: D4 / 8, rounded up

const DQ = 0u;
const DV = 2u;

var<workgroup> weights: array<vec4f, 256>;  // [32 columns, 8 groups of 4 rows], groups xored by column / 4

/// Rows of one token: its query heads that share keys, or itself.
fn rows_a_token() -> u32 {
  return select(1u, params.G, MODE == DQ);
}

fn columns_a_token() -> u32 {
  return select(params.G, 1u, MODE == DQ);
}

/// Rows past the end stand on the last token and are not stored.
fn token_of(row: u32) -> u32 {
  return min(row, params.row_end - 1u) / rows_a_token();
}

/// Where row or column r's head starts in tensors of n heads a token and key/value head.
fn vector_of(r: u32, n: u32, kv_head: u32) -> u32 {
  return ((r / n) * params.KV * n + kv_head * n + r % n) * params.D4;
}

/// P or dS of row `row` at the four columns `column` on, 0 where the mask hides them.
fn weigh(score: vec4f, product: vec4f, row: u32, log_sum: vec4f, mean: vec4f, tokens: vec4u) -> vec4f {
  let token = vec4u(token_of(row));
  var seen = (tokens <= token) & (tokens + params.window > token);
  if (MODE != DQ) { seen = (tokens >= token) & (token + params.window > tokens) & (tokens < vec4u(params.T)); }
  let p = exp(select(vec4f(-1.0e30), score * params.scale - log_sum, seen));
  if (MODE == DV) { return p; }
  return select(vec4f(), p * (product - mean) * params.scale, seen);
}

@compute @workgroup_size(64)
fn attention_backward(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane & 7u;
  let ty = lane >> 3u;
  let tile_start = params.row_start + wid.x * 32u;
  let row = tile_start + ty * 4u;
  let kv_head = params.head_start + wid.y;
  let a_base = kv_head * params.D4 * 4u * params.a_row + row / 4u;
  let b_base = kv_head * params.D4 * 4u * params.b_row + tx;

  // Columns any row of the tile sees.
  let first_token = token_of(tile_start);
  let last_token = token_of(tile_start + 31u);
  var first = (first_token * params.G) & ~3u;
  var last = min(params.T, last_token + params.window) * params.G;
  if (MODE == DQ) {
    first = (max(first_token + 1u, params.window) - params.window) & ~3u;
    last = last_token + 1u;
  }

  var sum0: array<vec4f, COLUMNS>;
  var sum1: array<vec4f, COLUMNS>;
  var sum2: array<vec4f, COLUMNS>;
  var sum3: array<vec4f, COLUMNS>;

  for (var start = first; start < last; start += 32u) {
    var s0 = vec4f();
    var s1 = vec4f();
    var s2 = vec4f();
    var s3 = vec4f();
    var p0 = vec4f();
    var p1 = vec4f();
    var p2 = vec4f();
    var p3 = vec4f();
    var a_at = a_base;
    var b_at = b_base + start / 4u;
    for (var d = 0u; d < params.D4 * 4u; d++) {
      let x = a[a_at];
      let other = b[b_at];
      s0 += x.x * other;
      s1 += x.y * other;
      s2 += x.z * other;
      s3 += x.w * other;
      if (MODE != DV) {
        let dx = da[a_at];
        let d_other = db[b_at];
        p0 += dx.x * d_other;
        p1 += dx.y * d_other;
        p2 += dx.z * d_other;
        p3 += dx.w * d_other;
      }
      a_at += params.a_row;
      b_at += params.b_row;
    }

    let column = start + tx * 4u;
    let tokens = (vec4u(column) + vec4u(0u, 1u, 2u, 3u)) / columns_a_token();
    var log_sums: vec4f;
    var means: vec4f;
    if (MODE == DQ) {
      log_sums = lse[kv_head * params.a_row + row / 4u];
      means = delta[kv_head * params.a_row + row / 4u];
      s0 = weigh(s0, p0, row, vec4f(log_sums.x), vec4f(means.x), tokens);
      s1 = weigh(s1, p1, row + 1u, vec4f(log_sums.y), vec4f(means.y), tokens);
      s2 = weigh(s2, p2, row + 2u, vec4f(log_sums.z), vec4f(means.z), tokens);
      s3 = weigh(s3, p3, row + 3u, vec4f(log_sums.w), vec4f(means.w), tokens);
    } else {
      log_sums = lse[kv_head * params.b_row + column / 4u];
      means = delta[kv_head * params.b_row + column / 4u];
      s0 = weigh(s0, p0, row, log_sums, means, tokens);
      s1 = weigh(s1, p1, row + 1u, log_sums, means, tokens);
      s2 = weigh(s2, p2, row + 2u, log_sums, means, tokens);
      s3 = weigh(s3, p3, row + 3u, log_sums, means, tokens);
    }
    workgroupBarrier();  // the last tile's weights may still be read
    let to = tx * 32u + (ty ^ tx);
    weights[to] = vec4f(s0.x, s1.x, s2.x, s3.x);
    weights[to + 8u] = vec4f(s0.y, s1.y, s2.y, s3.y);
    weights[to + 16u] = vec4f(s0.z, s1.z, s2.z, s3.z);
    weights[to + 24u] = vec4f(s0.w, s1.w, s2.w, s3.w);
    workgroupBarrier();

    for (var i = 0u; i < min(32u, last - start); i++) {
      let w = weights[i * 8u + (ty ^ (i / 4u))];
      let at = vector_of(start + i, columns_a_token(), kv_head);
      for (var c = 0u; c < COLUMNS; c++) {
        let value = values[at + min(tx + c * 8u, params.D4 - 1u)];
        sum0[c] += w.x * value;
        sum1[c] += w.y * value;
        sum2[c] += w.z * value;
        sum3[c] += w.w * value;
      }
    }
  }

  let n = rows_a_token();
  for (var c = 0u; c < COLUMNS; c++) {
    let d = tx + c * 8u;
    if (d < params.D4) {
      if (row < params.row_end) { grad[vector_of(row, n, kv_head) + d] = sum0[c]; }
      if (row + 1u < params.row_end) { grad[vector_of(row + 1u, n, kv_head) + d] = sum1[c]; }
      if (row + 2u < params.row_end) { grad[vector_of(row + 2u, n, kv_head) + d] = sum2[c]; }
      if (row + 3u < params.row_end) { grad[vector_of(row + 3u, n, kv_head) + d] = sum3[c]; }
    }
  }
}
