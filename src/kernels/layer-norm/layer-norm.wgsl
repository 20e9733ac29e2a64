// LayerNorm over the last axis:  y = (x - mean) * rstd * weight + bias,  rstd = 1 / sqrt(mean((x - mean)^2) + eps)
//
//   x       [rows, C]  f32  read   input
//   weight  [C]        f32  read   gain
//   bias    [C]        f32  read   offset
//   y       [rows, C]  f32  write  output
//
// One workgroup a row: lanes stride over the row's Vecs, then a tree reduction, first for the mean and then for the
// squares about it, because mean(x^2) - mean^2 loses all digits where |mean| is far above the deviation.
// Limits: any rows (the grid folds into y), any C (Vec is vec4f where C is a multiple of 4).
// Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, eq. 3.

struct Params {
  rows: u32,
  cols: u32,  // Vecs a row: C / WIDTH
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read> weight: array<Vec>;
@group(0) @binding(2) var<storage, read> bias: array<Vec>;
@group(0) @binding(3) var<storage, read_write> y: array<Vec>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn layer_norm(
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

  for (var c = lane; c < params.cols; c += WG) {
    y[start + c] = (x[start + c] - mean) * rstd * weight[c] + bias[c];
  }
}
