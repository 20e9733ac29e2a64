// Input gradient of softmax:  dx = y * (dy - sum(dy * y))
//
//   dy  [rows, C]  f32  read   gradient from above
//   y   [rows, C]  f32  read   the forward output
//   dx  [rows, C]  f32  write  dLoss/dx; zeros where y is a row of zeros
//
// One workgroup a row, one reduction.
// Limits: any rows (the grid folds into y), any C.

struct Params {
  rows: u32,
  cols: u32,  // Vecs a row: C / WIDTH
}

@group(0) @binding(0) var<storage, read> dy: array<Vec>;
@group(0) @binding(1) var<storage, read> y: array<Vec>;
@group(0) @binding(2) var<storage, read_write> dx: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn softmax_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = wid.y * groups.x + wid.x;
  if (row >= params.rows) { return; }
  let start = row * params.cols;
  let lane = lid.x;

  var products = Vec(0.0);
  for (var c = lane; c < params.cols; c += WG) { products += dy[start + c] * y[start + c]; }
  let mean = workgroup_sum(lane, sum_of(products));
  for (var c = lane; c < params.cols; c += WG) {
    dx[start + c] = y[start + c] * (dy[start + c] - mean);
  }
}
