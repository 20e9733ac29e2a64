// Input gradient of RMSNorm:  dx = rstd * (g - xhat * mean(g * xhat)),  xhat = x * rstd,  g = dy * weight
//
//   dy      [rows, C]  f32  read   gradient from above
//   x       [rows, C]  f32  read   the forward input
//   weight  [C]        f32  read   gain
//   dx      [rows, C]  f32  write  dLoss/dx
//
// One workgroup a row. rstd is recomputed from x: one reduction of two sums instead of a saved tensor.
// Limits: any rows, any C.

struct Params {
  rows: u32,
  cols: u32,  // Vecs a row: C / WIDTH
  eps: f32,
}

@group(0) @binding(0) var<storage, read> dy: array<Vec>;
@group(0) @binding(1) var<storage, read> x: array<Vec>;
@group(0) @binding(2) var<storage, read> weight: array<Vec>;
@group(0) @binding(3) var<storage, read_write> dx: array<Vec>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn rms_norm_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = wid.y * groups.x + wid.x;
  if (row >= params.rows) { return; }
  let start = row * params.cols;
  let lane = lid.x;
  let C = f32(params.cols * WIDTH);

  var squares = Vec(0.0);
  var products = Vec(0.0);
  for (var c = lane; c < params.cols; c += WG) {
    let value = x[start + c];
    squares += value * value;
    products += dy[start + c] * weight[c] * value;
  }
  let means = workgroup_sum4(lane, vec4f(sum_of(squares), sum_of(products), 0.0, 0.0)) / C;
  let rstd = inverseSqrt(means.x + params.eps);
  let slope = means.y * rstd * rstd;
  for (var c = lane; c < params.cols; c += WG) {
    dx[start + c] = rstd * (dy[start + c] * weight[c] - x[start + c] * slope);
  }
}
