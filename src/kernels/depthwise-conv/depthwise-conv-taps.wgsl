// A depthwise weight with channels last:  taps[t, c] = weight[c, t]
//
//   weight  [C, K*K]  f32  read   as in the checkpoint
//   taps    [K*K, C]  f32  write  neighbouring lanes of the convolution read neighbouring words
//
// A lane moves one element.
// Limits: any sizes (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,  // elements
  C: u32,
  area: u32,   // K*K
}

@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> taps: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn depthwise_conv_taps(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.count) { return; }
  taps[index] = weight[index % params.C * params.area + index / params.C];
}
