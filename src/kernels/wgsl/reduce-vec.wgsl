// Four sums at once over the lanes of a workgroup: one tree, a quarter of the barriers of four.
// Every lane must call it; every lane gets the result. Needs WG (reduce.wgsl).

var<workgroup> lane_quads: array<vec4f, WG>;

fn workgroup_sum4(lane: u32, value: vec4f) -> vec4f {
  workgroupBarrier();  // the values of an earlier reduction may still be read
  lane_quads[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { lane_quads[lane] += lane_quads[lane + half]; }
    workgroupBarrier();
  }
  return lane_quads[0];
}
