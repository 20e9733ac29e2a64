// Sums of squares of slices of one tensor:  partials[first + slice] = (sum(g^2), number of lanes that met what is not finite)
//
//   gradient  [count]  f32    read    entries, taken as words so that a NaN is told by its bits
//   partials  [P]      vec2f  update  of all tensors; this one's begin at `first`
//
// A workgroup sums a slice of WG * RUN * RUNS Vecs, neighbouring lanes reading neighbouring Vecs. A lane adds RUN squares
// and then these sums, and the lanes go through a tree, so that no sum is long and rounding stays near 1e-7.
// Limits: any count (the grid folds into y; Vec is vec4f where count is a multiple of 4).

alias Words = u32;  // vec4u where Vec is vec4f
const RUN = 16u;    // Vecs a lane adds before their sum is added to others
const RUNS = 1u;

struct Params {
  count: u32,   // Vecs
  slices: u32,  // of this tensor
  first: u32,
}

@group(0) @binding(0) var<storage, read> gradient: array<Words>;
@group(0) @binding(1) var<storage, read_write> partials: array<vec2f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gradient_norm_partial(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let slice = wid.y * groups.x + wid.x;
  if (slice >= params.slices) { return; }
  let lane = lid.x;
  var sum = Vec(0.0);
  var strange = false;
  for (var r = 0u; r < RUNS; r++) {
    let start = (slice * RUNS + r) * RUN * WG + lane;
    let end = min(start + RUN * WG, params.count);
    var squares = Vec(0.0);
    for (var i = start; i < end; i += WG) {
      let words = gradient[i];
      strange = strange || any((words & Words(0x7f800000u)) == Words(0x7f800000u));
      let g = bitcast<Vec>(words);
      squares += g * g;
    }
    sum += squares;
  }
  let sums = workgroup_sum4(lane, vec4f(sum_of(sum), select(0.0, 1.0, strange), 0.0, 0.0));
  if (lane == 0u) { partials[params.first + slice] = sums.xy; }
}
