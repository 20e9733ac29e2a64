// One tower's part of the gradients of spatial attention, with p_j = exp(scale * q . k_j - lse):
//   dv_j = p_j dy,   ds_j = scale * p_j (dy . v_j - delta),   dk_j = ds_j q,   dq = sum_j ds_j k_j
//
//   q      [N, H, D]    Vec    read    queries
//   k      [S*S, H, D]  Vec    read    the tower's keys, S = side * reduce
//   v      [S*S, H, D]  Vec    read    its values
//   dy     [N, H, D]    Vec    read    gradient from above
//   stats  [N, H]       vec4f  read    lse, delta = sum(dy * y), the query's cell
//   dk     [S*S, H, D]  Vec    write   keys that no query sees stay as they are
//   dv     [S*S, H, D]  Vec    write   likewise
//   dq     [N, H, D]    Vec    update  sum over the towers so far
//
// Every key belongs to one query, so nothing is reduced across queries: LANES neighbouring lanes take one (query, head)
// pair, recompute its weights from lse in chunks of keys and write a column each.
// Limits: queries of different cells; windows of any size, in chunks of 2 * QUADS keys.

struct Params {
  start: u32,  // first (query, head) pair of this dispatch
  end: u32,
  is_first: u32,  // 1 for the first tower
  heads: u32,
  cols: u32,  // Vecs a head: D / WIDTH
  side: u32,
  reduce: u32,
  row_from: u32,
  row_to: u32,
  col_from: u32,
  col_to: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<Vec>;
@group(0) @binding(1) var<storage, read> k: array<Vec>;
@group(0) @binding(2) var<storage, read> v: array<Vec>;
@group(0) @binding(3) var<storage, read> dy: array<Vec>;
@group(0) @binding(4) var<storage, read> stats: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> dk: array<Vec>;
@group(0) @binding(6) var<storage, read_write> dv: array<Vec>;
@group(0) @binding(7) var<storage, read_write> dq: array<Vec>;
@group(0) @binding(8) var<uniform> params: Params;

const HALF = QUADS / 2u;  // QUADS is even: scores in the first half, dy . v in the second
const KEYS = 4u * HALF;

@compute @workgroup_size(WG)
fn sva_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let mine = params.start + (wid.y * groups.x + wid.x) * (WG / LANES) + lane / LANES;
  // Lanes past the end stand on the last pair, for the barriers, and store nothing.
  let pair = min(mine, params.end - 1u);
  let head = pair % params.heads * params.cols;
  let key_row = params.heads * params.cols;
  let q_at = pair / params.heads * key_row + head;
  let known = stats[pair];
  let window = window_of(u32(known.z));

  for (var first = 0u; first < params.reduce * params.reduce; first += KEYS) {
    var at: array<u32, KEYS>;
    var dots: array<vec4f, QUADS>;
    for (var j = 0u; j < KEYS; j++) {
      if (first + j < window.count) {
        at[j] = key_of(window, first + j) * key_row + head;
        var scores = Vec(0.0);
        var slopes = Vec(0.0);
        for (var c = lane % LANES; c < params.cols; c += LANES) {
          scores += q[q_at + c] * k[at[j] + c];
          slopes += dy[q_at + c] * v[at[j] + c];
        }
        dots[j / 4u][j % 4u] = sum_of(scores);
        dots[HALF + j / 4u][j % 4u] = sum_of(slopes);
      }
    }
    lanes_sum(lane, &dots);
    for (var i = 0u; i < HALF; i++) {
      let p = exp(params.scale * dots[i] - known.x);
      dots[HALF + i] = params.scale * p * (dots[HALF + i] - known.y);
      dots[i] = p;
    }
    for (var c = lane % LANES; c < params.cols && mine < params.end; c += LANES) {
      let q_here = q[q_at + c];
      let dy_here = dy[q_at + c];
      var sums = Vec(0.0);
      if (params.is_first == 0u || first > 0u) { sums = dq[q_at + c]; }
      for (var j = 0u; j < KEYS; j++) {
        if (first + j < window.count) {
          let ds = dots[HALF + j / 4u][j % 4u];
          sums += ds * k[at[j] + c];
          dk[at[j] + c] = ds * q_here;
          dv[at[j] + c] = dots[j / 4u][j % 4u] * dy_here;
        }
      }
      dq[q_at + c] = sums;
    }
  }
}
