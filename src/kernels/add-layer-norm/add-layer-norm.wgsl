// Residual sum and LayerNorm in one pass:  x += y,  norm = (x - mean) * rstd * weight + bias,
// rstd = 1 / sqrt(mean((x - mean)^2) + eps)
//
//   x       [rows, C]  f32  update  residual stream
//   y       [rows, C]  f32  read    what a block adds to it
//   weight  [C]        f32  read    gain of the next block's norm
//   bias    [C]        f32  read    offset of the next block's norm
//   norm    [rows, C]  f32  write   input of the next block
//
// One workgroup a row: lanes stride over the row's Vecs and store the sum, then reduce twice as layer norm does: the
// mean, and the squares about it. A lane reads back only what it stored itself.
// Limits: any rows (the grid folds into y), any C (Vec is vec4f where C is a multiple of 4).

struct Params {
  rows: u32,
  cols: u32,  // Vecs a row: C / WIDTH
  eps: f32,
}

@group(0) @binding(0) var<storage, read_write> x: array<Vec>;
@group(0) @binding(1) var<storage, read> y: array<Vec>;
@group(0) @binding(2) var<storage, read> weight: array<Vec>;
@group(0) @binding(3) var<storage, read> bias: array<Vec>;
@group(0) @binding(4) var<storage, read_write> norm: array<Vec>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn add_layer_norm(
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
  for (var c = lane; c < params.cols; c += WG) {
    let value = x[start + c] + y[start + c];
    x[start + c] = value;
    sum += value;
  }
  let mean = workgroup_sum(lane, sum_of(sum)) / C;

  var squares = Vec(0.0);
  for (var c = lane; c < params.cols; c += WG) {
    let centred = x[start + c] - mean;
    squares += centred * centred;
  }
  let rstd = inverseSqrt(workgroup_sum(lane, sum_of(squares)) / C + params.eps);

  for (var c = lane; c < params.cols; c += WG) {
    norm[start + c] = (x[start + c] - mean) * rstd * weight[c] + bias[c];
  }
}
