// The largest key over the lanes of a workgroup and the lowest id that has it.
// Every lane must call it; every lane gets the result. WG comes from reduce.wgsl.

const NO_ID = 0xffffffffu;  // of a lane that saw none

var<workgroup> lane_best: array<vec2u, WG>;

/// The better of two (key, id): the larger key, of equal keys the lower id.
fn better(a: vec2u, b: vec2u) -> vec2u {
  return select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y));
}

fn workgroup_best(lane: u32, mine: vec2u) -> vec2u {
  workgroupBarrier();  // the values of an earlier reduction may still be read
  lane_best[lane] = mine;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { lane_best[lane] = better(lane_best[lane], lane_best[lane + half]); }
    workgroupBarrier();
  }
  return lane_best[0];
}
