// Weights of a range of keys, averaged over heads:  out[i] += factor * mean over h of exp(s[h, first + i] - lse[h])
//
//   scores   [H, length rounded up to 4]  f32  read
//   lse      [H]                          f32  read    log of each head's sum of exponentials
//   weights  [count]                      f32  update  written, not added to, where accumulate is 0
//
// One invocation a key walks the heads; neighbours read neighbouring scores.
// Limits: first + count <= length.

struct Params {
  first: u32,
  count: u32,
  heads: u32,
  row: u32,  // length rounded up to 4
  accumulate: u32,
  factor: f32,
}

@group(0) @binding(0) var<storage, read> scores: array<f32>;
@group(0) @binding(1) var<storage, read> lse: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn attention_weights(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lane;
  if (i >= params.count) { return; }
  var sum = 0.0;
  for (var h = 0u; h < params.heads; h++) {
    sum += exp(scores[h * params.row + params.first + i] - lse[h]);
  }
  var weight = params.factor / f32(params.heads) * sum;
  if (params.accumulate == 1u) { weight += weights[i]; }
  weights[i] = weight;
}
