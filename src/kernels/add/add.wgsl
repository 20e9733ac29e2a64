// Sum of two tensors:  y = a + b,  b repeated along a's leading axes
//
//   a  [n, m]  f32  read   first summand
//   b  [m]     f32  read   second summand; n = 1 for equal shapes
//   y  [n, m]  f32  write  sum
//
// A lane takes one Vec. The division for the repeated index is compiled in only where b is shorter.
// Limits: any count (the grid folds into y).

override WG: u32 = 256u;
override BROADCAST: bool = false;

struct Params {
  count: u32,   // Vecs of a
  period: u32,  // Vecs of b
}

@group(0) @binding(0) var<storage, read> a: array<Vec>;
@group(0) @binding(1) var<storage, read> b: array<Vec>;
@group(0) @binding(2) var<storage, read_write> y: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn add(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  var j = i;
  if (BROADCAST) { j = i % params.period; }
  y[i] = a[i] + b[j];
}
