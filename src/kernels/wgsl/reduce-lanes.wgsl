// Sums over groups of LANES neighbouring lanes of a workgroup, 4 * QUADS of them at once: one tree for all.
// Every lane must call it; every lane of a group gets its sums. Needs WG lanes, a multiple of LANES.
// One lane a group needs no barrier at all, which CPU adapters like.

const LANES = 1u;  // lanes of a group, a power of two
const QUADS = 1u;  // sums, in fours

override WG: u32 = 64u;

var<workgroup> lane_sums: array<vec4f, QUADS * WG>;

fn lanes_sum(lane: u32, values: ptr<function, array<vec4f, QUADS>>) {
  if (LANES == 1u) { return; }
  workgroupBarrier();  // the sums of an earlier call may still be read
  for (var i = 0u; i < QUADS; i++) { lane_sums[i * WG + lane] = (*values)[i]; }
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane % LANES < half) {
      for (var i = 0u; i < QUADS; i++) { lane_sums[i * WG + lane] += lane_sums[i * WG + lane + half]; }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < QUADS; i++) { (*values)[i] = lane_sums[i * WG + lane - lane % LANES]; }
}
