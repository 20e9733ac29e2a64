// How much of each query's attention falls on one tower:  share = mean over heads of sum_j exp(scale * q . k_j - lse)
//
//   q       [N, H, D]     Vec  read   queries
//   k       [S*S, H, D]   Vec  read   the tower's keys, S = side * reduce
//   lse     [N, H]        f32  read   log of each row's sum of exponentials over all towers
//   cells   [N]           u32  read   y * side + x of each query; read where has_cells is 1
//   shares  [N, towers]   f32  write  column `tower` of it
//
// LANES neighbouring lanes take one query and walk its heads: an overlay may cost a second look at the keys.
// Limits: windows of any size, in chunks of 4 * QUADS keys.

struct Params {
  start: u32,  // first query of this dispatch
  end: u32,
  has_cells: u32,
  tower: u32,
  towers: u32,
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
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> cells: array<u32>;
@group(0) @binding(4) var<storage, read_write> shares: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

const KEYS = 4u * QUADS;

@compute @workgroup_size(WG)
fn sva_shares(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let mine = params.start + (wid.y * groups.x + wid.x) * (WG / LANES) + lane / LANES;
  let row = min(mine, params.end - 1u);
  let key_row = params.heads * params.cols;
  var cell = row;
  if (params.has_cells == 1u) { cell = cells[row]; }
  let window = window_of(cell);
  var total = 0.0;
  for (var h = 0u; h < params.heads; h++) {
    for (var first = 0u; first < params.reduce * params.reduce; first += KEYS) {
      var scores: array<vec4f, QUADS>;
      for (var j = 0u; j < KEYS; j++) {
        if (first + j < window.count) {
          let at = key_of(window, first + j) * key_row + h * params.cols;
          var products = Vec(0.0);
          for (var c = lane % LANES; c < params.cols; c += LANES) {
            products += q[row * key_row + h * params.cols + c] * k[at + c];
          }
          scores[j / 4u][j % 4u] = sum_of(products);
        }
      }
      lanes_sum(lane, &scores);
      for (var j = 0u; j < KEYS; j++) {
        if (first + j < window.count) {
          total += exp(params.scale * scores[j / 4u][j % 4u] - lse[row * params.heads + h]);
        }
      }
    }
  }
  if (mine < params.end && lane % LANES == 0u) {
    shares[row * params.towers + params.tower] = total / f32(params.heads);
  }
}
