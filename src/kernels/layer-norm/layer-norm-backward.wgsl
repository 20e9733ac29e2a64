// Input gradient of LayerNorm:  dx = rstd * (g - mean(g) - xhat * mean(g * xhat)),  g = dy * weight,
// xhat = (x - mean) * rstd
//
//   dy      [rows, C]  f32  read   gradient from above
//   x       [rows, C]  f32  read   the forward input
//   weight  [C]        f32  read   gain
//   dx      [rows, C]  f32  write  dLoss/dx
//
// One workgroup a row. mean and rstd are recomputed from x instead of saved; after the mean, one reduction of three
// sums gives the rest.
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
fn layer_norm_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = wid.y * groups.x + wid.x;
  if (row >= params.rows) { return; }
  let start = row * params.cols;
  let lane = lid.x;
  let C = f32(params.cols * WIDTH);

  var sum = Vec(0.0);
  for (var c = lane; c < params.cols; c += WG) { sum += x[start + c]; }
  let mean = workgroup_sum(lane, sum_of(sum)) / C;

  var squares = Vec(0.0);
  var gains = Vec(0.0);
  var products = Vec(0.0);
  for (var c = lane; c < params.cols; c += WG) {
    let centred = x[start + c] - mean;
    let g = dy[start + c] * weight[c];
    squares += centred * centred;
    gains += g;
    products += g * centred;
  }
  let means = workgroup_sum4(lane, vec4f(sum_of(squares), sum_of(gains), sum_of(products), 0.0)) / C;
  let rstd = inverseSqrt(means.x + params.eps);
  let slope = means.z * rstd * rstd;

  for (var c = lane; c < params.cols; c += WG) {
    dx[start + c] = rstd * (dy[start + c] * weight[c] - means.y - (x[start + c] - mean) * slope);
  }
}
