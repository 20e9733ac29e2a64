// Positions within a window, added to every window of a square map:
//   y[b, i, j] = x[b, i, j] + positions[i % r, j % r]
//
//   x          [B*S*S, C]  f32  read   maps, row by row
//   positions  [r*r, C]    f32  read   one row a cell of a window
//   y          [B*S*S, C]  f32  write  sum
//
// A lane takes one Vec.
// Limits: any sizes (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs of x
  cols: u32,   // Vecs a row: C / WIDTH
  S: u32,
  r: u32,      // side of a window
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read> positions: array<Vec>;
@group(0) @binding(2) var<storage, read_write> y: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn window_position(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.count) { return; }
  let place = index / params.cols;
  let i = place / params.S % params.S;
  let j = place % params.S;
  let cell = i % params.r * params.r + j % params.r;
  y[index] = x[index] + positions[cell * params.cols + index % params.cols];
}
