// Columns of one tensor put into columns of another:  y[r, y_start + c] = x[r, x_start + c],  c < cols
//
//   x  [R, X]  f32  read   source; with x_stride = 0 one row, repeated
//   y  [R, Y]  f32  write  destination; its other columns keep what they hold
//
// A lane copies one Vec.
// Limits: any sizes (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,     // Vecs copied
  cols: u32,      // Vecs copied a row
  x_stride: u32,  // Vecs from row to row of x
  x_start: u32,   // Vecs before the columns
  y_stride: u32,
  y_start: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read_write> y: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn copy_columns(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let r = i / params.cols;
  let c = i % params.cols;
  y[r * params.y_stride + params.y_start + c] = x[r * params.x_stride + params.x_start + c];
}
