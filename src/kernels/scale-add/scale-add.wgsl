// Residual of a layer with layer scale:  y = residual + gamma * x
//
//   x         [rows, C]  f32  read   the layer's output
//   residual  [rows, C]  f32  read   what went into the layer
//   gamma     [C]        f32  read   one factor a channel
//   y         [rows, C]  f32  write  sum
//
// A lane takes one Vec.
// Limits: any sizes (the grid folds into y).
// Source: Touvron et al. 2021, arXiv:2103.17239.

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs of x
  cols: u32,   // Vecs a row: C / WIDTH
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read> residual: array<Vec>;
@group(0) @binding(2) var<storage, read> gamma: array<Vec>;
@group(0) @binding(3) var<storage, read_write> y: array<Vec>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn scale_add(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  y[i] = residual[i] + gamma[i % params.cols] * x[i];
}
