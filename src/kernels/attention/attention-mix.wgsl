// Values summed by attention's weights, for CPU adapters with subgroups; s as attention-scores.wgsl leaves it:
//   MODE 0:  y[row] = sum_key(s[row, key] * v[key]) / sum_key(s[row, key]), each tile of keys at its own `highest`
//   MODE 1:  y[row] = sum_key(s[row, key] * v[key])
//   MODE 2:  y[key] = sum_row(s[row, key] * v[row])
//
//   s        [planes, s_rows, s_row]           vec4f  read   four neighbouring keys a vector
//   highest  [planes, s_row/LANES, s_rows]     vec4f  read   four neighbouring rows a vector; any buffer but in MODE 0
//   v        strides below                     words  read   values, four d a vector
//   spans    [T]                               vec2u  read   as in attention-scores.wgsl
//   y        [B*T, heads, D4]                  vec4f  write  one row a query head (MODE 0 and 1) or key
//   lse      [B*KV, lse_row]                   f32    write  log of a row's sum of exponentials; if lse_row > 0, in MODE 0
//
// A workgroup is one subgroup and makes 4 LANES rows x 4 vectors of y, four rows a lane. Each lane loads weights of its own
// rows and values of one key; of 8 lanes the upper four hold the same keys' other columns. Registers are broadcast, no
// barriers. Softmax is normalised at the end, so that s need hold but exponentials.
// Limits: subgroups of exactly LANES = 4 or 8 lanes.

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
  v_row: u32,
  v_start: u32,
  v_head: u32,
  v_batch: u32,
  lse_row: u32,
}

@group(0) @binding(0) var<storage, read> s: array<vec4f>;
@group(0) @binding(1) var<storage, read> highest: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<KvWords>;
@group(0) @binding(3) var<storage, read> spans: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

override MODE: u32 = 0u;
override HAS_SPANS: bool = false;

const TILE = 4u * LANES;  // rows of a workgroup, and keys of a tile
const COLUMNS = 4u;       // vectors of y of a workgroup

const SOFTMAX = 0u;
const BY_KEY = 2u;

const LOWEST = -1.0e30;

/// Output rows of a token: its query heads that share keys, or the key itself.
fn rows_a_token() -> u32 {
  return select(params.G, 1u, MODE == BY_KEY);
}

/// Rows past the end stand on the last token and are not stored.
fn token_of(row: u32) -> u32 {
  return min(row, params.row_end - 1u) / rows_a_token();
}

/// The four weights of each of four output rows, from s[at] on.
fn weights_at(at: u32) -> mat4x4f {
  let held = mat4x4f(s[at], s[at + params.s_row], s[at + 2u * params.s_row], s[at + 3u * params.s_row]);
  if (MODE == BY_KEY) { return transpose(held); }
  return held;
}

fn scaled(rows: mat4x4f, by: vec4f) -> mat4x4f {
  return mat4x4f(rows[0] * by.x, rows[1] * by.y, rows[2] * by.z, rows[3] * by.w);
}

/// Where row's head starts in y.
fn output_of(row: u32, batch: u32, kv_head: u32) -> u32 {
  let n = rows_a_token();
  return (((batch * params.T + row / n) * params.KV + kv_head) * n + row % n) * params.D4;
}

@compute @workgroup_size(LANES)
fn attention_mix(@builtin(workgroup_id) wid: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let plane = params.plane_start + wid.y;
  let batch = plane / params.KV;
  let kv_head = plane % params.KV;
  let tile = params.row_start + wid.x * TILE;
  let row = tile + 4u * lane;
  let column = wid.z * COLUMNS;

  // What any row of the tile sees: keys, or in MODE 2 queries.
  let first_token = token_of(tile);
  let last_token = token_of(tile + TILE - 1u);
  let first_end = min(params.position + first_token + 1u, params.S);
  var begin = max(first_end, params.window) - params.window;
  if (HAS_SPANS) { begin = max(begin, spans[first_token].x); }
  var first = begin / TILE * TILE;
  var last = min(params.position + last_token + 1u, params.S);
  var values_a_token = 1u;
  var weights_from = (wid.y * params.s_rows + row - params.s_start) * params.s_row;
  var step = 1u;
  if (MODE == BY_KEY) {
    values_a_token = params.G;
    first = (first_token * params.G) & ~3u;
    var end = min(params.T, last_token + params.window);
    if (HAS_SPANS) { end = min(end, spans[last_token].y); }
    last = end * params.G;
    weights_from = wid.y * params.s_rows * params.s_row + row / 4u;
    step = 4u * params.s_row;
  }
  let v_base = params.v_start + batch * params.v_batch + kv_head * params.v_head + column;
  let highest_base = (wid.y * params.s_row / LANES * params.s_rows + row - params.s_start) / 4u;

  // Four rows x one vector each, of the first half of the columns and of the second. Named, not arrays: CPU adapters keep
  // arrays in memory.
  var low0 = mat4x4f();
  var low1 = mat4x4f();
  var high0 = mat4x4f();
  var high1 = mat4x4f();
  var before = vec4f(LOWEST);
  var total = vec4f();
  for (var start = first; start < last; start += TILE) {
    if (MODE == SOFTMAX) {
      let now = highest[highest_base + start / TILE * (params.s_rows / 4u)];
      let keep = exp(before - now);
      before = now;
      total *= keep;
      low0 = scaled(low0, keep);
      low1 = scaled(low1, keep);
      high0 = scaled(high0, keep);
      high1 = scaled(high1, keep);
    }
    for (var i = start; i < min(start + TILE, last); i += 4u) {
      let w = weights_at(weights_from + i / 4u * step);
      if (MODE == SOFTMAX) { total += vec4f(1.0) * w; }
      let at = min(i + lane % 4u, last - 1u);
      let value = v_base + at / values_a_token * params.v_row + at % values_a_token * params.D4;
      let held = value + lane / 4u * 2u;
      let a = widen(v[held]);
      let b = widen(v[held + 1u]);
      low0 += spread(a) * w;
      low1 += spread(b) * w;
      if (LANES == 8u) {
        high0 += spread_upper(a) * w;
        high1 += spread_upper(b) * w;
      } else {
        high0 += spread(widen(v[value + 2u])) * w;
        high1 += spread(widen(v[value + 3u])) * w;
      }
    }
  }

  var normal = vec4f(1.0);
  if (MODE == SOFTMAX) { normal = 1.0 / total; }
  let logs = before + log(total);
  var sums = array<mat4x4f, COLUMNS>(low0, low1, high0, high1);
  let columns = min(COLUMNS, params.D4 - column);
  for (var i = 0u; i < min(4u, max(row, params.row_end) - row); i++) {
    let to = output_of(row + i, batch, kv_head) + column;
    for (var c = 0u; c < columns; c++) { y[to + c] = sums[c][i] * normal[i]; }
    if (MODE == SOFTMAX && params.lse_row > 0u && column == 0u) { lse[plane * params.lse_row + row + i] = logs[i]; }
  }
}
