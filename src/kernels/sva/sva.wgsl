// One tower's part of spatial attention: each query attends to its own block of r x r cells of the tower's map, and the
// softmax runs over the blocks of all towers together:
//   s_j = scale * q . k_j,   lse = log(sum_j exp(s_j)),   y = sum_j exp(s_j - lse) v_j
//
//   q      [N, H, D]      Vec  read    queries
//   k      [S*S, H, D]    Vec  read    the tower's keys, S = side * reduce, row-major over its map
//   v      [S*S, H, D]    Vec  read    its values
//   cells  [N]            u32  read    y * side + x of each query; read where has_cells is 1
//   y      [N, H, D]      Vec  update  attention over the towers so far
//   lse    [N, H]         f32  update  log of their sum of exponentials
//
// LANES neighbouring lanes take one (query, head) pair, a column each; windows are read where they lie, each key once.
// The towers' dispatches pass y and lse on: y is whole after each, so any number of towers takes six bindings.
// Limits: windows of any size, in chunks of 4 * QUADS keys. Source: Tong et al. 2024, arXiv:2406.16860, section 3.2.

struct Params {
  start: u32,  // first (query, head) pair of this dispatch
  end: u32,
  is_first: u32,   // 1 for the first tower
  has_cells: u32,  // 1 where cells counts
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
@group(0) @binding(3) var<storage, read> cells: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<Vec>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

const KEYS = 4u * QUADS;
const LOWEST = -1.0e30;

@compute @workgroup_size(WG)
fn sva(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let mine = params.start + (wid.y * groups.x + wid.x) * (WG / LANES) + lane / LANES;
  // Lanes past the end stand on the last pair, for the barriers, and store nothing.
  let pair = min(mine, params.end - 1u);
  let row = pair / params.heads;
  let head = pair % params.heads * params.cols;
  let key_row = params.heads * params.cols;
  let q_at = row * key_row + head;
  var cell = row;
  if (params.has_cells == 1u) { cell = cells[row]; }
  let window = window_of(cell);

  // Sums so far, relative to exp(top): y itself weighs 1 relative to exp(lse).
  var top = LOWEST;
  var total = 0.0;
  if (params.is_first == 0u) {
    top = lse[pair];
    total = 1.0;
  }
  let most = params.reduce * params.reduce;
  for (var first = 0u; first < most; first += KEYS) {
    var at: array<u32, KEYS>;
    var scores: array<vec4f, QUADS>;
    for (var j = 0u; j < KEYS; j++) {
      if (first + j < window.count) {
        at[j] = key_of(window, first + j) * key_row + head;
        var products = Vec(0.0);
        for (var c = lane % LANES; c < params.cols; c += LANES) { products += q[q_at + c] * k[at[j] + c]; }
        scores[j / 4u][j % 4u] = params.scale * sum_of(products);
      }
    }
    lanes_sum(lane, &scores);

    var next = top;
    for (var j = 0u; j < KEYS; j++) {
      if (first + j < window.count) { next = max(next, scores[j / 4u][j % 4u]); }
    }
    let decay = exp(top - next);
    top = next;
    total *= decay;
    for (var j = 0u; j < KEYS; j++) {
      if (first + j < window.count) {
        let mass = exp(scores[j / 4u][j % 4u] - top);
        scores[j / 4u][j % 4u] = mass;
        total += mass;
      }
    }
    let share = select(1.0, 1.0 / total, first + KEYS >= most);
    for (var c = lane % LANES; c < params.cols; c += LANES) {
      var sums = Vec(0.0);
      if (params.is_first == 0u || first > 0u) { sums = decay * y[q_at + c]; }
      for (var j = 0u; j < KEYS; j++) {
        if (first + j < window.count) { sums += scores[j / 4u][j % 4u] * v[at[j] + c]; }
      }
      if (mine < params.end) { y[q_at + c] = share * sums; }
    }
  }
  if (LANES > 1u) { storageBarrier(); }  // the group's lanes have read the old lse
  if (mine < params.end && lane % LANES == 0u) { lse[pair] = top + log(total); }
}
