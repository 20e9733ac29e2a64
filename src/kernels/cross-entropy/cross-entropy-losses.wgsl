// Cross entropy from the statistics of all chunks:  loss = log(sum(exp(z))) - z[label] = (m - z[label]) + log(s)
//
//   state   [R]  vec4u  read   see statistics.wgsl
//   losses  [R]  u32    write  bits of f32: 0 for a row that takes no part, a NaN where logits were not finite, or where
//                              the label was in no chunk
//
// One lane a row. Limits: any R (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  rows: u32,
}

@group(0) @binding(0) var<storage, read> state: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> losses: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cross_entropy_losses(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (row >= params.rows) { return; }
  let stats = state[row];
  var loss = NAN_BITS;
  if (stats.w == COMPLETE) {
    loss = bitcast<u32>((bitcast<f32>(stats.x) - bitcast<f32>(stats.z)) + log(bitcast<f32>(stats.y)));
  } else if (stats.w == TAKES_NO_PART) {
    loss = 0u;
  }
  losses[row] = loss;
}
