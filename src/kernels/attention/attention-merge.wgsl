// Puts the ranges of attention-decode.wgsl together:
//   y = sum_i(exp(m_i - m) sums_i) / sum_i(exp(m_i - m) l_i),  m = max(m_i)
//
//   sums   [rows, splits, D4]  vec4f  read   weighted sums of values of each range
//   stats  [rows, splits]      vec2f  read   m_i and l_i
//   y      [rows, D4]          vec4f  write  output
//
// One invocation a vector of y.

struct Params {
  rows: u32,
  splits: u32,
  D4: u32,
}

@group(0) @binding(0) var<storage, read> sums: array<vec4f>;
@group(0) @binding(1) var<storage, read> stats: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn attention_merge(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  let row = index / params.D4;
  if (row >= params.rows) { return; }
  let column = index % params.D4;

  var highest = -1.0e30;
  var total = 0.0;
  var sum = vec4f();
  for (var i = row * params.splits; i < (row + 1u) * params.splits; i++) {
    let range = stats[i];
    let raised = max(highest, range.x);
    let keep = exp(highest - raised);
    let take = exp(range.x - raised);
    sum = sum * keep + sums[i * params.D4 + column] * take;
    total = total * keep + range.y * take;
    highest = raised;
  }
  y[index] = sum / total;
}
