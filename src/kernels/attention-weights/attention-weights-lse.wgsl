// Log of the sum of exponentials of each head's scores:  lse[h] = log(sum_{i < length} exp(s[h, i]))
//
//   scores  [H, length rounded up to 4]  f32  read
//   lse     [H]                          f32  write
//
// One workgroup a head: lanes stride over the scores twice, for the maximum and for the sum.
// Limits: any H and length.

struct Params {
  length: u32,
  row: u32,  // length rounded up to 4
}

@group(0) @binding(0) var<storage, read> scores: array<f32>;
@group(0) @binding(1) var<storage, read_write> lse: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn attention_weights_lse(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = wid.x * params.row;
  var largest = scores[start];
  for (var i = lane; i < params.length; i += WG) { largest = max(largest, scores[start + i]); }
  let top = workgroup_max(lane, largest);
  var sum = 0.0;
  for (var i = lane; i < params.length; i += WG) { sum += exp(scores[start + i] - top); }
  let total = workgroup_sum(lane, sum);
  if (lane == 0u) { lse[wid.x] = top + log(total); }
}
