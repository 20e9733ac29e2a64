// Gradient of softmax cross entropy, chunk by chunk and in place:  dz = (exp(z - m) / s - onehot(label)) * scale
//
//   labels  [R]      u32    read    ids in the whole vocabulary; IGNORED gives zeros
//   state   [R]      vec4u  read    see statistics.wgsl; of all chunks
//   scales  [R]      f32    read    gradient of what is minimised with respect to the row's loss
//   logits  [R, Vc]  f32    update  columns vocab_start to vocab_start + Vc of z, overwritten by dz
//
// A lane takes one Vec. z - m is exact enough where z is large, which z - log(sum(exp(z))) would not be.
// Rows whose loss is a NaN get NaNs, so that a guard behind finds them.
// Limits: any sizes (the grid folds into y).

alias Words = u32;             // vec4u where Vec is vec4f
const STEPS = Words(0u);       // vec4u(0u, 1u, 2u, 3u) where Vec is vec4f

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs of the chunk
  cols: u32,   // Vecs a row: Vc / WIDTH
  vocab_start: u32,
}

@group(0) @binding(0) var<storage, read> labels: array<u32>;
@group(0) @binding(1) var<storage, read> state: array<vec4u>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> logits: array<Words>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cross_entropy_gradient(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let row = i / params.cols;
  let label = labels[row];
  let stats = state[row];
  var dz = Words(NAN_BITS);
  if (label == IGNORED) {
    dz = Words(0u);
  } else if (stats.w == COMPLETE) {
    let share = exp(bitcast<Vec>(logits[i]) - bitcast<f32>(stats.x)) * (1.0 / bitcast<f32>(stats.y));
    let at = label - params.vocab_start;  // huge where the label lies before the chunk
    let ids = Words((i % params.cols) * WIDTH) + STEPS;
    dz = bitcast<Words>((share - select(Vec(0.0), Vec(1.0), ids == Words(at))) * scales[row]);
  }
  logits[i] = dz;
}
