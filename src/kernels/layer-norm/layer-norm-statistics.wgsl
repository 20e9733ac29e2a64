// Row statistics of LayerNorm:  mean = mean(x),  rstd = 1 / sqrt(mean((x - mean)^2) + eps)
//
//   x           [rows, C]  f32  read   the forward input
//   statistics  [rows, 2]  f32  write  mean and rstd of each row
//
// One workgroup a row, as the forward pass; the first lane writes.
// Limits: any rows, any C.

struct Params {
  rows: u32,
  cols: u32,  // Vecs a row: C / WIDTH
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read_write> statistics: array<vec2f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn layer_norm_statistics(
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
  for (var c = lane; c < params.cols; c += WG) {
    let centred = x[start + c] - mean;
    squares += centred * centred;
  }
  let rstd = inverseSqrt(workgroup_sum(lane, sum_of(squares)) / C + params.eps);
  if (lane == 0u) { statistics[row] = vec2f(mean, rstd); }
}
