enable subgroups;

// As reduce-lanes.wgsl, by exchanges within a subgroup instead of workgroup memory: no barrier at all.
// Every lane must call it; every lane of a group gets its sums, to the same bits.
// Limits: subgroups of at least LANES lanes; lanes of a workgroup of one dimension are numbered along its subgroups.

const LANES = 1u;  // lanes of a group, a power of two
const QUADS = 1u;  // sums, in fours

override WG: u32 = 64u;

fn lanes_sum(lane: u32, values: ptr<function, array<vec4f, QUADS>>) {
  for (var i = 0u; i < QUADS; i++) {
    var sum = (*values)[i];
    for (var distance = 1u; distance < LANES; distance *= 2u) { sum += subgroupShuffleXor(sum, distance); }
    (*values)[i] = sum;
  }
}
