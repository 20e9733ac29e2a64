// Sums and maxima over the lanes of a workgroup, by a tree in workgroup memory.
// Every lane must call these; every lane gets the result.

override WG: u32 = 256u;  // lanes of the workgroup, a power of two

var<workgroup> lane_values: array<f32, WG>;

fn workgroup_sum(lane: u32, value: f32) -> f32 {
  workgroupBarrier();  // the values of an earlier reduction may still be read
  lane_values[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { lane_values[lane] += lane_values[lane + half]; }
    workgroupBarrier();
  }
  return lane_values[0];
}

fn workgroup_max(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  lane_values[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half /= 2u) {
    if (lane < half) { lane_values[lane] = max(lane_values[lane], lane_values[lane + half]); }
    workgroupBarrier();
  }
  return lane_values[0];
}
