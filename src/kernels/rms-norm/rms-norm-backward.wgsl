// Input gradient of RMSNorm:  dx = rstd * (g - xhat * mean(g * xhat)),  xhat = x * rstd,  g = dy * weight
//
//   dy      [rows, C]  f32  read   gradient from above
//   x       [rows, C]  f32  read   the forward input
//   weight  [C]        f32  read   gain
//   dx      [rows, C]  f32  write  dLoss/dx
//
// One workgroup a row. rstd is recomputed from x: one more reduction instead of a saved tensor.

struct Params {
  rows: u32,
  C: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn rms_norm_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = wid.y * groups.x + wid.x;
  if (row >= params.rows) { return; }
  let start = row * params.C;
  let lane = lid.x;

  var squares = 0.0;
  var products = 0.0;
  for (var c = lane; c < params.C; c += WG) {
    let value = x[start + c];
    squares += value * value;
    products += dy[start + c] * weight[c] * value;
  }
  let rstd = inverseSqrt(workgroup_sum(lane, squares) / f32(params.C) + params.eps);
  let mean = workgroup_sum(lane, products) * rstd / f32(params.C);
  for (var c = lane; c < params.C; c += WG) {
    dx[start + c] = rstd * (dy[start + c] * weight[c] - x[start + c] * rstd * mean);
  }
}
