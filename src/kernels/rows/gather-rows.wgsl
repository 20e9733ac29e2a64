// Rows by index:  y[r] = x[indices[r]],  zeros where the index is >= N
//
//   x        [N, C]  f32  read   input
//   indices  [R]     u32  read   which rows
//   y        [R, C]  f32  write  the rows
//
// A lane copies one Vec.
// Limits: any sizes (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs of y
  cols: u32,   // Vecs a row: C / WIDTH
  N: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gather_rows(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let row = indices[i / params.cols];
  var value = Vec(0.0);
  if (row < params.N) { value = x[row * params.cols + i % params.cols]; }
  y[i] = value;
}
