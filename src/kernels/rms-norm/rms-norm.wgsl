// RMSNorm over the last axis:  y = x * rstd * weight,  rstd = 1 / sqrt(mean(x^2) + eps)
//
//   x       [rows, C]  f32  read   input
//   weight  [C]        f32  read   gain
//   y       [rows, C]  f32  write  output
//
// One workgroup a row: lanes stride over C, then a tree reduction. Any rows (the grid folds into y), any C.
// Source: Zhang & Sennrich 2019, arXiv:1910.07467.

struct Params {
  rows: u32,
  C: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn rms_norm(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = wid.y * groups.x + wid.x;
  if (row >= params.rows) { return; }
  let start = row * params.C;
  let lane = lid.x;

  var squares = 0.0;
  for (var c = lane; c < params.C; c += WG) {
    let value = x[start + c];
    squares += value * value;
  }
  let rstd = inverseSqrt(workgroup_sum(lane, squares) / f32(params.C) + params.eps);
  for (var c = lane; c < params.C; c += WG) {
    y[start + c] = x[start + c] * rstd * weight[c];
  }
}
