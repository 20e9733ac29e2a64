// Sum in place:  x += y,  y repeated along x's leading axes
//
//   x  [n, m]  f32  update  sum
//   y  [m]     f32  read    summand; n = 1 for equal shapes
//
// A lane takes one Vec. The division for the repeated index is compiled in only where y is shorter.
// Limits: any count (the grid folds into y).

override WG: u32 = 256u;
override BROADCAST: bool = false;

struct Params {
  count: u32,   // Vecs of x
  period: u32,  // Vecs of y
}

@group(0) @binding(0) var<storage, read_write> x: array<Vec>;
@group(0) @binding(1) var<storage, read> y: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn add_into(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  var j = i;
  if (BROADCAST) { j = i % params.period; }
  x[i] += y[j];
}
