// Sums over groups of LANES neighbouring lanes of a workgroup, 4 * QUADS of them at once.
// Every lane must call it; every lane of a group gets its sums. Needs WG lanes, a multiple of LANES.
// Every lane reads all parts of its group, which the hardware hands to the whole group at once: two barriers and no
// tree. One lane a group needs neither, which CPU adapters like.

const LANES = 1u;  // lanes of a group, a power of two
const QUADS = 1u;  // sums, in fours

override WG: u32 = 64u;

var<workgroup> lane_parts: array<vec4f, QUADS * WG>;

fn lanes_sum(lane: u32, values: ptr<function, array<vec4f, QUADS>>) {
  if (LANES == 1u) { return; }
  workgroupBarrier();  // the parts of an earlier call may still be read
  for (var i = 0u; i < QUADS; i++) { lane_parts[i * WG + lane] = (*values)[i]; }
  workgroupBarrier();
  let first = lane - lane % LANES;
  for (var i = 0u; i < QUADS; i++) {
    var sum = vec4f();
    for (var l = 0u; l < LANES; l++) { sum += lane_parts[i * WG + first + l]; }
    (*values)[i] = sum;
  }
}
