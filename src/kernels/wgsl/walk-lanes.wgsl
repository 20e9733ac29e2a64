// How lanes share a product of one row with a weight, on GPUs: groups of LANES lanes walk the same weight rows, each lane
// another chunk of them, so that neighbours load neighbouring words. Their sums meet by `lanes_sum` of
// wgsl/reduce-lanes*.wgsl, which says LANES and WG. Same names as walk-rows.wgsl.
// Needs from the kernel `fn row_at(i: u32) -> vec4f`: elements 4 * i to 4 * i + 3 of the row.

const ROW_STEP = 1u;     // from one of a lane's weight rows to the next
const STEP_CHUNKS = 1u;  // chunks of a step

/// The first of a lane's `count` weight rows.
fn first_row(group: u32, local: u32, count: u32) -> u32 {
  return (group * (WG / LANES) + local / LANES) * count;
}

fn first_step(local: u32) -> u32 {
  return local % LANES;
}

fn next_step(step: u32) -> u32 {
  return step + LANES;
}

fn take_step(step: u32, local: u32) {}

fn x_at(i: u32) -> vec4f {
  return row_at(i);
}

/// Whether this lane stores the r-th of its rows.
fn stores(local: u32, r: u32) -> bool {
  return local % LANES == r;
}
