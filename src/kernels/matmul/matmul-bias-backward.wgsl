// Bias gradient of y = x W^T + b:  db[n] = sum over m of dy[m, n]
//
//   dy  [M, N]  f32  read    gradient from above
//   db  [N]     f32  update  dLoss/db, replaced or added to
//
// A workgroup does 32 columns; its 8 rows of lanes take every eighth row of dy, and the 8 sums are added in a fixed order.

struct Params {
  M: u32,
  N: u32,
  accumulate: u32,  // 1: add to db
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> db: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(32, 8)
fn matmul_bias_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = wid.x * 32u + lid.x;
  var sum = 0.0;
  if (n < params.N) {
    for (var m = lid.y; m < params.M; m += 8u) { sum += dy[m * params.N + n]; }
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lid.y == 0u && n < params.N) {
    var total = 0.0;
    for (var i = 0u; i < 8u; i++) { total += partial[i * 32u + lid.x]; }
    if (params.accumulate == 1u) { total += db[n]; }
    db[n] = total;
  }
}
