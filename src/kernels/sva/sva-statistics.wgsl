// What the backward pass needs of each (query, head) pair, in one place:  delta = sum(dy * y)
//
//   y      [N, H, D]  Vec    read   attention's output
//   dy     [N, H, D]  Vec    read   gradient from above
//   lse    [N, H]     f32    read   log of each row's sum of exponentials
//   cells  [N]        u32    read   y * side + x of each query; read where has_cells is 1
//   stats  [N, H]     vec4f  write  lse, delta, the cell as a number, 0
//
// LANES neighbouring lanes take one pair. Cells go through f32, exact below 2^24.
// Limits: any N, H and D.

struct Params {
  count: u32,
  heads: u32,
  cols: u32,
  has_cells: u32,
}

@group(0) @binding(0) var<storage, read> y: array<Vec>;
@group(0) @binding(1) var<storage, read> dy: array<Vec>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> cells: array<u32>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sva_statistics(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let mine = (wid.y * groups.x + wid.x) * (WG / LANES) + lane / LANES;
  let pair = min(mine, params.count - 1u);
  var products = Vec(0.0);
  for (var c = lane % LANES; c < params.cols; c += LANES) {
    products += y[pair * params.cols + c] * dy[pair * params.cols + c];
  }
  var delta: array<vec4f, QUADS>;
  delta[0].x = sum_of(products);
  lanes_sum(lane, &delta);
  if (mine < params.count && lane % LANES == 0u) {
    var cell = pair / params.heads;
    if (params.has_cells == 1u) { cell = cells[cell]; }
    stats[pair] = vec4f(lse[pair], delta[0].x, f32(cell), 0.0);
  }
}
