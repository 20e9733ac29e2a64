// Attention's weights, for CPU adapters with subgroups. With x = scale * q k^T under the mask:
//   MODE 0:  s = exp(x - highest)             highest: each row's largest x up to the end of its tile of keys
//   MODE 1:  s = exp(x - row_values)          row_values: lse; s is the softmax P
//   MODE 2:  s = scale * s * (q k^T - row_values)  row_values: delta; with dy for q, v for k and P in s, s becomes dS
//
//   q           strides below                   vec4f  read    queries (or dy), four d a vector
//   k           strides below                   words  read    keys (or v), four d a vector; TRANSPOSED: four neighbouring keys
//   row_values  [KV, values_row]                f32    read    any buffer in MODE 0
//   s           [planes, s_rows, s_row]         vec4f  update  four neighbouring keys a vector
//   highest     [planes, s_row/LANES, s_rows]   f32    write   any buffer but in MODE 0
//   spans       [T]                             vec2u  read    of each token's sequence its first token and the one behind its
//                                                              last; where HAS_SPANS
//
// A plane is a key/value head of a picture; its rows are (token, head) pairs, r = t * G + g. A workgroup is one subgroup
// and makes 16 rows x 4 LANES keys at a time, four keys a lane. A CPU adapter fetches lane by lane, so each lane loads
// queries and keys of its own, once, and registers are broadcast instead (see matmul-broadcast.wgsl).
// Limits: subgroups of exactly LANES = 4 or 8 lanes; row t sees keys up to position + t (a position above S is no mask), no
// more than `window` of them; scores below 1e30.
// Source: Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135, appendix B.

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
  plane_start: u32,
  s_start: u32,  // row that s begins with
  s_rows: u32,
  s_row: u32,
  q_row: u32,
  q_start: u32,
  k_row: u32,
  k_start: u32,
  k_head: u32,
  k_batch: u32,
  values_row: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<KvWords>;
@group(0) @binding(2) var<storage, read> row_values: array<f32>;
@group(0) @binding(3) var<storage, read_write> s: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> highest: array<f32>;
@group(0) @binding(5) var<storage, read> spans: array<vec2u>;
@group(0) @binding(6) var<uniform> params: Params;

override MODE: u32 = 0u;
override HAS_SPANS: bool = false;  // several sequences, none of which sees another; position is 0
override TRANSPOSED: bool = false;

const KEYS = 4u * LANES;  // keys of a tile, and rows whose tiles end alike

const ONLINE = 0u;
const GRADIENT = 2u;

const MASKED = -3.0e38;
const LOWEST = -1.0e30;  // finite, above MASKED: a row that has seen nothing yet stays free of NaN

/// Rows past the end stand on the last one.
fn inside(row: u32) -> u32 {
  return min(row, params.row_end - 1u);
}

/// Where row's head starts in q.
fn query_of(row: u32, batch: u32, kv_head: u32) -> u32 {
  let r = inside(row);
  let head = kv_head * params.G + r % params.G;
  return params.q_start + (batch * params.T + r / params.G) * params.q_row + head * params.D4;
}

/// Keys that row sees: begin to end - 1.
fn end_of(row: u32) -> u32 {
  return min(params.position + inside(row) / params.G + 1u, params.S);
}

fn begin_of(row: u32) -> u32 {
  let begin = max(end_of(row), params.window) - params.window;
  if (HAS_SPANS) { return max(begin, spans[inside(row) / params.G].x); }
  return begin;
}

fn masked(scores: vec4f, row: u32, first: u32) -> vec4f {
  let keys = vec4u(first) + vec4u(0u, 1u, 2u, 3u);
  let seen = (keys < vec4u(end_of(row))) & (keys >= vec4u(begin_of(row)));
  return select(vec4f(MASKED), scores, seen & vec4<bool>(row < params.row_end));
}

/// Of rows past the end nothing is known.
fn row_value_of(row: u32, plane: u32) -> f32 {
  if (row >= params.row_end) { return 0.0; }
  return row_values[plane * params.values_row + row];
}

@compute @workgroup_size(LANES)
fn attention_scores(@builtin(workgroup_id) wid: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let plane = params.plane_start + wid.y;
  let batch = plane / params.KV;
  let kv_head = plane % params.KV;
  let row = params.row_start + wid.x * 16u;
  // Tiles of keys that any of the rows which attention-mix takes together sees.
  let group = row - (row - params.row_start) % KEYS;
  let group_last = group + KEYS - 1u;
  let first = begin_of(group) / KEYS * KEYS;
  let last = end_of(group_last);

  let q0 = query_of(row + lane, batch, kv_head);
  let q1 = query_of(row + LANES + lane, batch, kv_head);
  let q2 = query_of(row + 2u * LANES + lane, batch, kv_head);
  let q3 = query_of(row + 3u * LANES + lane, batch, kv_head);
  let k_base = params.k_start + batch * params.k_batch + kv_head * params.k_head;
  let s_base = (wid.y * params.s_rows + row - params.s_start) * params.s_row + lane;
  let highest_base = wid.y * params.s_row / LANES * params.s_rows + row - params.s_start;

  // Always 16, but not known to the compiler, which else writes loops over rows out: 1.9 s against 0.5 s in lavapipe.
  let rows = min(16u, params.s_start + params.s_rows - row);
  var by: array<f32, 16>;
  for (var i = 0u; i < rows; i++) {
    by[i] = LOWEST;
    if (MODE != ONLINE) { by[i] = row_value_of(row + i, plane); }
  }
  for (var start = first; start < last; start += KEYS) {
    let key = start + 4u * lane;
    var k0 = k_base + min(key, params.S - 1u) * params.k_row;
    var k1 = k_base + min(key + 1u, params.S - 1u) * params.k_row;
    var k2 = k_base + min(key + 2u, params.S - 1u) * params.k_row;
    var k3 = k_base + min(key + 3u, params.S - 1u) * params.k_row;
    var k_step = 1u;
    if (TRANSPOSED) {
      k0 = k_base + min(key / 4u, params.k_row - 1u);
      k1 = k0 + params.k_row;
      k2 = k1 + params.k_row;
      k3 = k2 + params.k_row;
      k_step = 4u * params.k_row;
    }
    // Four rows x four keys each. Named, not an array: CPU adapters keep arrays in memory.
    var s0 = mat4x4f();
    var s1 = mat4x4f();
    var s2 = mat4x4f();
    var s3 = mat4x4f();
    for (var d = 0u; d < params.D4; d++) {
      let at = d * k_step;
      var keys = mat4x4f(widen(k[k0 + at]), widen(k[k1 + at]), widen(k[k2 + at]), widen(k[k3 + at]));
      if (!TRANSPOSED) { keys = transpose(keys); }
      let a = q[q0 + d];
      let b = q[q1 + d];
      s0 += keys * spread(a);
      if (LANES == 8u) {
        s1 += keys * spread_upper(a);
        s2 += keys * spread(b);
        s3 += keys * spread_upper(b);
      } else {
        s1 += keys * spread(b);
        s2 += keys * spread(q[q2 + d]);
        s3 += keys * spread(q[q3 + d]);
      }
    }
    var sums = array<mat4x4f, 4>(s0, s1, s2, s3);
    let is_edge = start + KEYS > end_of(group) || start < begin_of(group_last) || group_last >= params.row_end;
    for (var i = 0u; i < rows; i++) {
      let sum = sums[i / 4u][i % 4u];
      let to = s_base + i * params.s_row + start / 4u;
      if (MODE == GRADIENT) {
        let p = s[to];
        if (any(p != vec4f())) { s[to] = p * (sum - by[i]) * params.scale; }
      } else {
        var x = sum * params.scale;
        if (is_edge) { x = masked(x, row + i, key); }
        if (MODE == ONLINE) {
          by[i] = max(by[i], subgroupMax(max(max(x.x, x.y), max(x.z, x.w))));
          if (lane == 0u) { highest[highest_base + start / KEYS * params.s_rows + i] = by[i]; }
        }
        s[to] = exp(x - by[i]);
      }
    }
  }
}
