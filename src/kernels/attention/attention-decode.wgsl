// Softmax attention of a few query rows over a long cache, one workgroup a range of 256 keys:
//   m = max(s),  l = sum(exp(s - m)),  out = sum(exp(s - m) v)  over the range, s = scale * q k^T
//
//   q      [T, H, D4]                        vec4f  read   queries
//   k      [KV, D4*4, k_row]                 words  read   keys, transposed: a vector holds four neighbouring keys
//   v      [KV, capacity, D4]                words  read   values, four d a vector
//   out    [T*H, splits, D4]                 vec4f  write  sums; with one split divided by l, that is y itself
//   stats  [T*H, splits]                     vec2f  write  m and l for attention-merge.wgsl; untouched with one split
//
// Rows are (token, head) pairs of one key/value head, ROWS a workgroup, so that a key is read once for all of them. For
// the scores a lane takes four neighbouring keys; for the sums a lane takes a column and a share of the keys, and the
// shares meet in workgroup memory at the end. Five barriers in all.
// Limits: row t sees keys up to position + t, no more than `window` of them; D4 <= 64; 9 KiB of workgroup memory.
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

const ROWS = 8u;  // rows a workgroup takes: 1 to 8

const MASKED = -3.0e38;
const LOWEST = -1.0e30;  // finite, above MASKED: a range of which a row sees nothing stays free of NaN

var<workgroup> vectors: array<vec4f, ROWS * 64u>;  // scores, their exponentials, then shares of the sums
var<workgroup> maxima: array<f32, 64>;             // [row, eighth of the range]
var<workgroup> totals: array<f32, 64>;

fn largest(a: vec4f) -> f32 {
  return max(max(a.x, a.y), max(a.z, a.w));
}

@compute @workgroup_size(64)
fn attention_decode(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let split = params.split_start + wid.x;
  let kv_head = wid.y;
  let first_row = wid.z * ROWS;
  let rows = params.T * params.G;
  let key_start = (params.split_first + split) * 256u;
  let D4 = params.D4;
  let H = params.KV * params.G;

  var q_at: array<u32, ROWS>;
  var scores: array<vec4f, ROWS>;
  for (var r = 0u; r < ROWS; r++) {
    let row = min(first_row + r, rows - 1u);
    q_at[r] = ((row / params.G) * H + kv_head * params.G + row % params.G) * D4;
    scores[r] = vec4f();
  }
  var k_at = kv_head * D4 * 4u * params.k_row + key_start / 4u + lane;
  for (var i = 0u; i < D4; i++) {
    let k0 = widen(k[k_at]);
    let k1 = widen(k[k_at + params.k_row]);
    let k2 = widen(k[k_at + 2u * params.k_row]);
    let k3 = widen(k[k_at + 3u * params.k_row]);
    k_at += 4u * params.k_row;
    for (var r = 0u; r < ROWS; r++) {
      let a = q[q_at[r] + i];
      scores[r] += a.x * k0 + a.y * k1 + a.z * k2 + a.w * k3;
    }
  }
  let keys = vec4u(key_start + lane * 4u) + vec4u(0u, 1u, 2u, 3u);
  for (var r = 0u; r < ROWS; r++) {
    let end = params.position + min(first_row + r, rows - 1u) / params.G + 1u;
    let begin = max(end, params.window) - params.window;
    let seen = (keys < vec4u(end)) & (keys >= vec4u(begin));
    vectors[r * 64u + lane] = select(vec4f(MASKED), scores[r] * params.scale, seen);
  }
  workgroupBarrier();

  // Eight lanes a row find its maximum and turn its scores into weights.
  let row_at = (lane >> 3u) * 64u + (lane & 7u);
  var highest = LOWEST;
  if (lane < ROWS * 8u) {
    for (var i = 0u; i < 64u; i += 8u) { highest = max(highest, largest(vectors[row_at + i])); }
    maxima[lane] = highest;
  }
  workgroupBarrier();
  if (lane < ROWS * 8u) {
    for (var i = 0u; i < 8u; i++) { highest = max(highest, maxima[(lane & ~7u) + i]); }
    var sum = vec4f();
    for (var i = 0u; i < 64u; i += 8u) {
      let weights = exp(vectors[row_at + i] - highest);
      vectors[row_at + i] = weights;
      sum += weights;
    }
    totals[lane] = dot(sum, vec4f(1.0));
  }
  workgroupBarrier();

  // Lane = share * D4 + column: every `shares`-th vector of four keys.
  let shares = 64u / D4;
  let share = lane / D4;
  let column = lane % D4;
  let most = params.S - 1u;
  var sums: array<vec4f, ROWS>;
  for (var r = 0u; r < ROWS; r++) { sums[r] = vec4f(); }
  if (share < shares) {
    let count = min(64u, (params.S - key_start + 3u) / 4u);
    let v_at = kv_head * params.k_row * 4u * D4 + column;
    for (var i = share; i < count; i += shares) {
      // Keys past the last one have weight 0; the last one's values stand in for theirs.
      let key = key_start + i * 4u;
      let v0 = widen(v[v_at + min(key, most) * D4]);
      let v1 = widen(v[v_at + min(key + 1u, most) * D4]);
      let v2 = widen(v[v_at + min(key + 2u, most) * D4]);
      let v3 = widen(v[v_at + min(key + 3u, most) * D4]);
      for (var r = 0u; r < ROWS; r++) {
        let p = vectors[r * 64u + i];
        sums[r] += p.x * v0 + p.y * v1 + p.z * v2 + p.w * v3;
      }
    }
  }
  workgroupBarrier();
  for (var r = 0u; r < ROWS; r++) { vectors[r * 64u + lane] = sums[r]; }
  workgroupBarrier();

  for (var i = lane; i < ROWS * D4; i += 64u) {
    let r = i / D4;
    let c = i % D4;
    let row = first_row + r;
    if (row < rows) {
      var sum = vec4f();
      for (var s = 0u; s < shares; s++) { sum += vectors[r * 64u + s * D4 + c]; }
      var total = 0.0;
      var top = LOWEST;
      for (var s = 0u; s < 8u; s++) {
        total += totals[r * 8u + s];
        top = max(top, maxima[r * 8u + s]);
      }
      let to = ((row / params.G) * H + kv_head * params.G + row % params.G) * params.splits + split;
      if (params.splits == 1u) {
        sum /= total;
      } else if (c == 0u) {
        stats[to] = vec2f(top, total);
      }
      out[to * D4 + c] = sum;
    }
  }
}
