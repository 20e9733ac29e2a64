// Gradients of causal softmax attention, tile by tile. With P = exp(scale * q k^T - lse) and dS = P * (dy v^T - delta):
//   MODE 0:  dq = scale * dS k        rows are queries, columns are keys
//   MODE 1:  dk = scale * dS^T q      rows are keys, columns are queries
//   MODE 2:  dv = P^T dy              rows are keys, columns are queries
//
//   a       [T, a_row]           vec4f  read   q (MODE 0) or k: rows of heads of D4*4
//   b       [heads, D4*4, T4]    vec4f  read   k (MODE 0) or q, transposed
//   da      [T, a_row]           vec4f  read   dy (MODE 0) or v, beside a; any buffer in MODE 2
//   db      [heads, D4*4, T4]    vec4f  read   v (MODE 0) or dy, transposed; any buffer in MODE 2
//   values  [T, value_row]       vec4f  read   k (MODE 0), q (MODE 1) or dy (MODE 2)
//   lse     [H, T4]              vec4f  read   of the forward pass, four tokens a vector
//   delta   [H, T4]              vec4f  read   sum(dy * y) of each query
//   grad    [T, a_row]           vec4f  write  dq, dk or dv
//
// 8 x 8 lanes hold 32 rows x 32 columns of P or dS, 4 x 4 a lane; they pass through workgroup memory and are added up
// into 4 rows x D/8 columns of the gradient a lane. Scores are made anew in each mode, so nothing of size T x T is
// ever stored, and every sum has one owner that adds in a fixed order: the same inputs give the same bits.
// Limits: 4 KiB of workgroup memory; token t sees keys up to t, no more than `window` of them.
// Source: Dao et al. 2022, arXiv:2205.14135, appendix B.

struct Params {
  T: u32,
  G: u32,  // query heads a key/value head
  D4: u32,
  window: u32,
  row_start: u32,
  row_end: u32,
  head_start: u32,
  a_row: u32,
  b_row: u32,  // vectors of four tokens: T4 / 4
  value_row: u32,
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

var<workgroup> weights: array<vec4f, 256>;  // [32 rows, 32 columns]

/// Rows of one token: its query heads that share keys, or itself.
fn rows_a_token() -> u32 {
  return select(1u, params.G, MODE == DQ);
}

fn token_of(row: u32) -> u32 {
  return min(row, params.row_end - 1u) / rows_a_token();
}

/// Where a row's head starts in a, da and grad. Rows past the end stand on the last one and are not stored.
fn vector_of(row: u32, kv_head: u32) -> u32 {
  let n = rows_a_token();
  let r = min(row, params.row_end - 1u);
  return (r / n) * params.a_row + (kv_head * n + r % n) * params.D4;
}

/// P or dS of row `row` at the four columns `column` on, 0 where the mask hides them.
fn weigh(score: vec4f, product: vec4f, row: u32, column: u32, kv_head: u32, column_head: u32) -> vec4f {
  let token = token_of(row);
  let columns = vec4u(column) + vec4u(0u, 1u, 2u, 3u);
  var seen = vec4<bool>(false);
  var log_sum = vec4f();
  var mean = vec4f();
  if (MODE == DQ) {
    let head = kv_head * params.G + min(row, params.row_end - 1u) % params.G;
    let at = head * params.b_row + token / 4u;
    log_sum = vec4f(lse[at][token % 4u]);
    mean = vec4f(delta[at][token % 4u]);
    seen = (columns <= vec4u(token)) & (columns + params.window > vec4u(token));
  } else {
    let at = min(column_head * params.b_row + column / 4u, arrayLength(&lse) - 1u);
    log_sum = lse[at];
    mean = delta[at];
    seen = (columns >= vec4u(token)) & (vec4u(token + params.window) > columns) & (columns < vec4u(params.T));
  }
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
  let a0 = vector_of(row, kv_head);
  let a1 = vector_of(row + 1u, kv_head);
  let a2 = vector_of(row + 2u, kv_head);
  let a3 = vector_of(row + 3u, kv_head);

  let first_token = token_of(tile_start);
  let last_token = token_of(tile_start + 31u);
  var first = first_token & ~3u;
  var last = min(params.T, last_token + params.window);
  var heads = params.G;
  if (MODE == DQ) {
    first = (max(first_token + 1u, params.window) - params.window) & ~3u;
    last = last_token + 1u;
    heads = 1u;
  }

  var sum0: array<vec4f, COLUMNS>;
  var sum1: array<vec4f, COLUMNS>;
  var sum2: array<vec4f, COLUMNS>;
  var sum3: array<vec4f, COLUMNS>;

  for (var g = 0u; g < heads; g++) {
    let column_head = kv_head * heads + g;
    for (var start = first; start < last; start += 32u) {
      var s0 = vec4f();
      var s1 = vec4f();
      var s2 = vec4f();
      var s3 = vec4f();
      var p0 = vec4f();
      var p1 = vec4f();
      var p2 = vec4f();
      var p3 = vec4f();
      let column = start + tx * 4u;
      var b_at = column_head * params.D4 * 4u * params.b_row + column / 4u;
      for (var i = 0u; i < params.D4; i++) {
        let x0 = a[a0 + i];
        let x1 = a[a1 + i];
        let x2 = a[a2 + i];
        let x3 = a[a3 + i];
        for (var j = 0u; j < 4u; j++) {
          let other = b[b_at + j * params.b_row];
          s0 += x0[j] * other;
          s1 += x1[j] * other;
          s2 += x2[j] * other;
          s3 += x3[j] * other;
        }
        if (MODE != DV) {
          let y0 = da[a0 + i];
          let y1 = da[a1 + i];
          let y2 = da[a2 + i];
          let y3 = da[a3 + i];
          for (var j = 0u; j < 4u; j++) {
            let other = db[b_at + j * params.b_row];
            p0 += y0[j] * other;
            p1 += y1[j] * other;
            p2 += y2[j] * other;
            p3 += y3[j] * other;
          }
        }
        b_at += 4u * params.b_row;
      }
      workgroupBarrier();  // the last tile's weights may still be read
      let to = ty * 32u + tx;
      weights[to] = weigh(s0, p0, row, column, kv_head, column_head);
      weights[to + 8u] = weigh(s1, p1, row + 1u, column, kv_head, column_head);
      weights[to + 16u] = weigh(s2, p2, row + 2u, column, kv_head, column_head);
      weights[to + 24u] = weigh(s3, p3, row + 3u, column, kv_head, column_head);
      workgroupBarrier();

      let count = min(8u, (last - start + 3u) / 4u);
      for (var i = 0u; i < count; i++) {
        let w0 = weights[ty * 32u + i];
        let w1 = weights[ty * 32u + i + 8u];
        let w2 = weights[ty * 32u + i + 16u];
        let w3 = weights[ty * 32u + i + 24u];
        // Tokens past the last one have weight 0; the last one's values stand in for theirs.
        let tokens = min(vec4u(start + i * 4u) + vec4u(0u, 1u, 2u, 3u), vec4u(params.T - 1u));
        let at = tokens * params.value_row + column_head * params.D4;
        for (var c = 0u; c < COLUMNS; c++) {
          let d = min(tx + c * 8u, params.D4 - 1u);
          let v0 = values[at.x + d];
          let v1 = values[at.y + d];
          let v2 = values[at.z + d];
          let v3 = values[at.w + d];
          sum0[c] += w0.x * v0 + w0.y * v1 + w0.z * v2 + w0.w * v3;
          sum1[c] += w1.x * v0 + w1.y * v1 + w1.z * v2 + w1.w * v3;
          sum2[c] += w2.x * v0 + w2.y * v1 + w2.z * v2 + w2.w * v3;
          sum3[c] += w3.x * v0 + w3.y * v1 + w3.z * v2 + w3.w * v3;
        }
      }
    }
  }

  for (var c = 0u; c < COLUMNS; c++) {
    let d = tx + c * 8u;
    if (d < params.D4) {
      if (row < params.row_end) { grad[a0 + d] = sum0[c]; }
      if (row + 1u < params.row_end) { grad[a1 + d] = sum1[c]; }
      if (row + 2u < params.row_end) { grad[a2 + d] = sum2[c]; }
      if (row + 3u < params.row_end) { grad[a3 + d] = sum3[c]; }
    }
  }
}
