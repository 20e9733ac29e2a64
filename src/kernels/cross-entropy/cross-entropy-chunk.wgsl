// Takes one chunk of the vocabulary into the statistics of softmax cross entropy (online softmax):
//   m' = max(m, max(z)),  s' = s * exp(m - m') + sum(exp(z - m')),  and z[label] where the chunk holds it
//
//   logits  [R, Vc]  f32    read    columns vocab_start to vocab_start + Vc of all logits z
//   labels  [R]      u32    read    ids in the whole vocabulary; IGNORED takes no part
//   state   [R]      vec4u  update  see statistics.wgsl; zeros before the first chunk
//
// One workgroup a row, one read of the logits: every lane keeps a maximum and the sum below it, which are merged by two
// reductions and then with the chunks before. What is not finite is found by its bits and flagged.
// Limits: any R (the grid folds into y), any Vc (Vec is vec4f where Vc is a multiple of 4).
// Source: Milakov & Gimelshein 2018, arXiv:1805.02867, algorithm 3.

alias Words = u32;  // vec4u where Vec is vec4f

const LOWEST = -1e38;

struct Params {
  rows: u32,
  cols: u32,  // Vecs a row: Vc / WIDTH
  vocab_start: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<Words>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<vec4u>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cross_entropy_chunk(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let row = wid.y * groups.x + wid.x;
  if (row >= params.rows) { return; }
  let lane = lid.x;
  let label = labels[row];
  if (label == IGNORED) {
    if (lane == 0u) { state[row] = vec4u(0u, 0u, 0u, TAKES_NO_PART); }
    return;
  }
  let start = row * params.cols;

  var highest = LOWEST;
  var sum = 0.0;
  var strange = false;
  for (var c = lane; c < params.cols; c += WG) {
    let words = logits[start + c];
    strange = strange || any((words & Words(0x7f800000u)) == Words(0x7f800000u));
    let z = bitcast<Vec>(words);
    let above = max(highest, max_of(z));
    sum = sum * exp(highest - above) + sum_of(exp(z - above));
    highest = above;
  }
  let largest = workgroup_max(lane, highest);
  let sums = workgroup_sum4(lane, vec4f(sum * exp(highest - largest), select(0.0, 1.0, strange), 0.0, 0.0));
  if (lane > 0u) { return; }

  let before = state[row];
  var peak = largest;
  var total = sums.x;
  if ((before.w & STARTED) != 0u) {
    let peak_before = bitcast<f32>(before.x);
    peak = max(peak_before, largest);
    total = bitcast<f32>(before.y) * exp(peak_before - peak) + total * exp(largest - peak);
  }
  var picked = before.z;
  var flags = before.w | STARTED;
  let at = label - params.vocab_start;  // huge where the label lies before the chunk
  if (at < params.cols * WIDTH) {
    let z = vec4f(bitcast<Vec>(logits[start + at / WIDTH]));
    picked = bitcast<u32>(z[at % WIDTH]);
    flags |= LABEL_MET;
  }
  if (sums.y > 0.0) { flags |= NOT_FINITE; }
  state[row] = vec4u(bitcast<u32>(peak), bitcast<u32>(total), picked, flags);
}
