enable subgroups;

// How lanes share a product of one row with a weight, on CPU adapters with subgroups: every lane walks weight rows of its
// own. A workgroup is one subgroup, whose lanes load different elements of the row and hand them round: a CPU adapter
// fetches lane by lane even where all lanes read one address. Same names as walk-lanes.wgsl and reduce-lanes.wgsl.
// Needs wgsl/chunks.wgsl, and from the kernel `fn row_at(i: u32) -> vec4f`: elements 4 * i to 4 * i + 3 of the row.
// Limits: subgroups of exactly LANES = 4 or 8 lanes.

const LANES = 8u;
const QUADS = 1u;                   // sums of a lane, in fours
const WG = LANES;                   // lanes of the workgroup
const ROW_STEP = LANES;             // from one of a lane's weight rows to the next
const STEP_CHUNKS = 8u / CHUNK4;    // chunks of a step, which is 32 elements

var<private> held: array<vec4f, 8>;  // the step's elements of the row

/// The first of a lane's `count` weight rows.
fn first_row(group: u32, local: u32, count: u32) -> u32 {
  return group * LANES * count + local;
}

fn first_step(local: u32) -> u32 {
  return 0u;
}

fn next_step(step: u32) -> u32 {
  return step + 1u;
}

/// Indices are written out: a broadcast's lane is a constant.
fn take_step(step: u32, local: u32) {
  let low = row_at(step * 8u + local);
  var high = low;
  if (LANES == 4u) { high = row_at(step * 8u + 4u + local); }
  held[0] = subgroupBroadcast(low, 0u);
  held[1] = subgroupBroadcast(low, 1u);
  held[2] = subgroupBroadcast(low, 2u);
  held[3] = subgroupBroadcast(low, 3u);
  held[4] = subgroupBroadcast(high, 4u % LANES);
  held[5] = subgroupBroadcast(high, 5u % LANES);
  held[6] = subgroupBroadcast(high, 6u % LANES);
  held[7] = subgroupBroadcast(high, 7u % LANES);
}

fn x_at(i: u32) -> vec4f {
  return held[i % 8u];
}

/// The first quad holds a lane's own products, whole already; others hold its share of sums over the row.
fn lanes_sum(local: u32, values: ptr<function, array<vec4f, QUADS>>) {
  for (var i = 1u; i < QUADS; i++) { (*values)[i] = subgroupAdd((*values)[i]); }
}

/// Whether this lane stores the r-th of its rows.
fn stores(local: u32, r: u32) -> bool {
  return true;
}
