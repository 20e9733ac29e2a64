// Rotary position embedding of queries and keys, and keys and values put into the cache, in one dispatch:
//   y[t, h*D + d]               = rotate(q)        as rope.wgsl, at position + t
//   cache_k[h, d, position + t] = rotate(k)        keys lie transposed, neighbours along the tokens
//   cache_v[h, position + t, d] = v[t, h*D + d]
//
//   q            [T, q_row]               f32    read    heads H of D from column q_start of each row
//   k            [T, k_row]               f32    read    heads KV of D from column k_start
//   v            [T, v_row]               f32    read    heads KV of D from column v_start
//   frequencies  [R/2]                    f32    read    radians a position
//   y            [T, H*D]                 f32    write   rotated queries
//   cache_k      [KV, D4*4, capacity]     words  update  capacity a multiple of 4
//   cache_v      [KV, capacity, D4*4]     words  update
//
// Invocations come in three runs. A query's makes one angle and turns that pair in HEADS heads. A key's makes the angles
// of an aligned group of four tokens for one pair and writes both vectors, keeping tokens outside the new range. A
// value's moves four d of one token.
// Limits: R even, R <= D, angles below 2^22; D beyond the last multiple of 4 is padded by the zeros the cache starts with.

struct Params {
  T: u32,
  H: u32,
  KV: u32,
  D: u32,
  D4: u32,
  R: u32,
  position: u32,
  capacity4: u32,
  q_row: u32,
  q_start: u32,
  k_row: u32,
  k_start: u32,
  v_row: u32,
  v_start: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> frequencies: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> cache_k: array<KvWords>;
@group(0) @binding(6) var<storage, read_write> cache_v: array<KvWords>;
@group(0) @binding(7) var<uniform> params: Params;

override WG: u32 = 64u;
override HEADS: u32 = 4u;  // query heads an invocation turns by one angle

/// (cos, sin) of a token's angle for a pair, scaled; (1, 0) for columns that pass through.
fn turn_of(t: u32, column: u32) -> vec2f {
  if (column >= params.R / 2u) { return vec2f(1.0, 0.0); }
  return cos_sin(f32(params.position + t) * frequencies[column]) * params.scale;
}

fn rotate(a: f32, b: f32, turn: vec2f) -> vec2f {
  return vec2f(a * turn.x - b * turn.y, b * turn.x + a * turn.y);
}

/// Each pair is one column, then come the elements that pass through, each its own partner.
fn columns() -> u32 {
  return params.D - params.R / 2u;
}

fn turn_queries(index: u32) {
  let head_groups = (params.H + HEADS - 1u) / HEADS;
  let pairs = params.R / 2u;
  let column = index % columns();
  let first = (index / columns()) % head_groups * HEADS;
  let t = index / (columns() * head_groups);
  let from_row = t * params.q_row + params.q_start;
  let to_row = t * params.H * params.D;
  let low = select(column + pairs, column, column < pairs);
  let turn = turn_of(t, column);
  for (var h = first; h < min(first + HEADS, params.H); h++) {
    let at = h * params.D;
    let turned = rotate(q[from_row + at + low], q[from_row + at + column + pairs], turn);
    // An element that passes through is its own partner: the same value is written twice.
    y[to_row + at + low] = turned.x;
    y[to_row + at + column + pairs] = turned.y;
  }
}

fn append_keys(index: u32) {
  let pairs = params.R / 2u;
  let column = index % columns();
  let h = (index / columns()) % params.KV;
  let group = params.position / 4u + index / (columns() * params.KV);
  let low = select(column + pairs, column, column < pairs);
  let high = column + pairs;
  let at_low = (h * params.D4 * 4u + low) * params.capacity4 + group;
  let at_high = (h * params.D4 * 4u + high) * params.capacity4 + group;
  var lows = widen(cache_k[at_low]);
  var highs = widen(cache_k[at_high]);
  for (var i = 0u; i < 4u; i++) {
    let t = group * 4u + i - params.position;  // wraps below the range
    if (t < params.T) {
      let from_at = t * params.k_row + params.k_start + h * params.D;
      let turned = rotate(k[from_at + low], k[from_at + high], turn_of(t, column));
      lows[i] = turned.x;
      highs[i] = turned.y;
    }
  }
  cache_k[at_low] = narrow(lows);
  cache_k[at_high] = narrow(highs);
}

fn append_values(index: u32) {
  let d4 = index % params.D4;
  let h = (index / params.D4) % params.KV;
  let t = index / (params.D4 * params.KV);
  let from_at = t * params.v_row + params.v_start + h * params.D + d4 * 4u;
  var values = vec4f();
  for (var i = 0u; i < min(4u, params.D - d4 * 4u); i++) { values[i] = v[from_at + i]; }
  cache_v[(h * params.capacity4 * 4u + params.position + t) * params.D4 + d4] = narrow(values);
}

@compute @workgroup_size(WG)
fn rope_append(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  var index = (wid.y * groups.x + wid.x) * WG + lid.x;
  let query_columns = params.T * ((params.H + HEADS - 1u) / HEADS) * columns();
  if (index < query_columns) {
    turn_queries(index);
    return;
  }
  index -= query_columns;
  let key_groups = (params.position + params.T + 3u) / 4u - params.position / 4u;
  let key_columns = key_groups * params.KV * columns();
  if (index < key_columns) {
    append_keys(index);
    return;
  }
  index -= key_columns;
  if (index < params.T * params.KV * params.D4) { append_values(index); }
}
