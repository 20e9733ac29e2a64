// Gradient of rows by index:  dx[r] = sum of dy[n] over the n that took row r,  zeros where none did
//
//   dy       [N, C]   f32  read   gradient from above
//   offsets  [R + 1]  u32  read   takers of row r: takers[offsets[r]] to takers[offsets[r + 1] - 1]
//   takers   [T]      u32  read   rows of dy, ordered by the row they took; T <= N
//   dx       [R, C]   f32  write  dLoss/dx
//
// A lane gathers one Vec; the takers' order is the order of the sum.
// Limits: any sizes (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs of dx
  cols: u32,   // Vecs a row: C / WIDTH
}

@group(0) @binding(0) var<storage, read> dy: array<Vec>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> takers: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<Vec>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gather_rows_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let row = i / params.cols;
  let c = i % params.cols;
  let end = offsets[row + 1u];
  var sum = Vec(0.0);
  for (var k = offsets[row]; k < end; k++) { sum += dy[takers[k] * params.cols + c]; }
  dx[i] = sum;
}
