// Softmax over the last axis:  y = exp(x - max(x)) / sum(exp(x - max(x)))
//
//   x  [rows, C]  f32  read   logits; -inf (anything below -1e38) has no weight
//   y  [rows, C]  f32  write  weights; a row of -inf alone gives zeros
//
// One workgroup a row, two reads of x: every lane keeps a running maximum and the sum below it (online softmax), then
// the lanes' pairs are merged by two reductions.
// -inf is told by comparing with a finite number, because WGSL lets drivers assume that there are no infinities.
// Limits: any rows (the grid folds into y), any C (Vec is vec4f where C is a multiple of 4).
// Source: Milakov & Gimelshein 2018, arXiv:1805.02867, algorithm 3.

const LOWEST = -1e38;

struct Params {
  rows: u32,
  cols: u32,  // Vecs a row: C / WIDTH
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read_write> y: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

fn weights(v: Vec, largest: f32) -> Vec {
  return select(exp(max(v, Vec(LOWEST)) - largest), Vec(0.0), v < Vec(LOWEST));
}

@compute @workgroup_size(WG)
fn softmax(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = wid.y * groups.x + wid.x;
  if (row >= params.rows) { return; }
  let start = row * params.cols;
  let lane = lid.x;

  var highest = LOWEST;
  var sum = 0.0;
  for (var c = lane; c < params.cols; c += WG) {
    let v = x[start + c];
    let above = max(highest, max_of(v));
    sum = sum * exp(highest - above) + sum_of(weights(v, above));
    highest = above;
  }
  let largest = workgroup_max(lane, highest);
  let total = workgroup_sum(lane, sum * exp(highest - largest));
  let scale = select(0.0, 1.0 / total, total > 0.0);

  for (var c = lane; c < params.cols; c += WG) {
    y[start + c] = weights(x[start + c], largest) * scale;
  }
}
