// Draws the next token:  tokens[index] = id  with probability  exp(logit / temperature) / sum over the kept ids
//
//   logits  [V]         f32 bits  read    scores, repetition penalty applied
//   tokens  [capacity]  u32       update  the conversation; one id is written
//   status  [1]         u32       write   0, or why no token could be chosen (wgsl/order.wgsl); the id is 0 then
//
// Kept are the ids whose logit is at least the top_k-th largest (ties too), and of these the fewest, largest first and
// of equals the lowest id first, that hold top_p of the mass; then the inverse of the cumulated mass, in id order.
// One workgroup: thresholds are found without a sort, by digits of 8 bits of the order key, from the highest down, with
// a histogram each. Masses are added as integers there (39 bits after the point): equal inputs give equal ids.
// Limits: V < 2^19. Source: Holtzman et al. 2019, arXiv:1904.09751 (top-p); Fan et al. 2018, arXiv:1805.04833 (top-k).

struct Params {
  V: u32,
  index: u32,
  top_k: u32,                // 0 keeps all
  top_p: f32,                // 1 keeps all
  inverse_temperature: f32,
  draw: f32,                 // uniform in [0, 1)
}

@group(0) @binding(0) var<storage, read> logits: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(2) var<storage, read_write> status: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

const DIGITS = 256u;
const LIMB = 8192.0;          // a mass in [0, 1] is three limbs of 13 bits; sums stay below 2^32 for V < 2^19
const PLANE_COUNT = 768u;     // bins: highest limb, middle limb, lowest limb, number of ids; 256 of each
const REACHED = 0.999999;     // masses this close to top_p reach it, so that rounding does not keep one id more

var<workgroup> bins: array<atomic<u32>, 1024>;
var<workgroup> largest: atomic<u32>;
var<workgroup> first_owner: atomic<u32>;
var<workgroup> last_owner: atomic<u32>;
var<workgroup> tie_count: atomic<u32>;
var<workgroup> found_key: u32;
var<workgroup> found_rank: u32;
var<workgroup> found_above: f32;

/// exp((logit - largest logit) / temperature), 0 for what cannot matter.
fn mass(key: u32, top: u32) -> f32 {
  if (key < LOWEST_KEY) { return 0.0; }
  let exponent = max((order_value(key) - order_value(top)) * params.inverse_temperature, -100.0);
  return select(0.0, exp(exponent), exponent > -80.0);
}

/// Whether the digits above `shift + 8` of a key are those of the prefix.
fn has_prefix(key: u32, prefix: u32, shift: u32) -> bool {
  return ((key ^ prefix) >> shift) < DIGITS;
}

fn clear_bins(lane: u32) {
  workgroupBarrier();
  for (var b = lane; b < 1024u; b += WG) { atomicStore(&bins[b], 0u); }
  workgroupBarrier();
}

/// Key of the rank-th largest logit; 0 where there are fewer.
fn kth_largest(lane: u32, rank: u32) -> u32 {
  var prefix = 0u;
  var wanted = rank;
  for (var step = 0u; step < 4u; step++) {
    let shift = 24u - 8u * step;
    clear_bins(lane);
    for (var first = lane * 4u; first < params.V; first += WG * 4u) {
      let four = logits[first / 4u];
      for (var i = 0u; i < 4u; i++) {
        let key = order_key(four[i]);
        if (first + i < params.V && has_prefix(key, prefix, shift)) {
          atomicAdd(&bins[(key >> shift) % DIGITS], 1u);
        }
      }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var digit = DIGITS - 1u;
      for (; digit > 0u; digit--) {
        let count = atomicLoad(&bins[digit]);
        if (count >= wanted) { break; }
        wanted -= count;
      }
      found_key = prefix | (digit << shift);
      found_rank = wanted;
    }
    prefix = workgroupUniformLoad(&found_key);
    wanted = workgroupUniformLoad(&found_rank);
  }
  return prefix;
}

/// Mass that a bin holds, in units of the largest id's.
fn bin_mass(digit: u32) -> f32 {
  return (f32(atomicLoad(&bins[digit])) +
    (f32(atomicLoad(&bins[DIGITS + digit])) + f32(atomicLoad(&bins[2u * DIGITS + digit])) / LIMB) / LIMB) / LIMB;
}

/// Key of the last id needed, largest first, to hold `wanted` of the mass. Ids below `floor_key` or whose mass is
/// below `negligible` are passed over. Leaves the mass above that key in found_above, its number of ids in bins.
fn nucleus_key(lane: u32, top: u32, floor_key: u32, wanted: f32, negligible: f32) -> u32 {
  var prefix = 0u;
  if (lane == 0u) { found_above = 0.0; }
  for (var step = 0u; step < 4u; step++) {
    let shift = 24u - 8u * step;
    clear_bins(lane);
    for (var first = lane * 4u; first < params.V; first += WG * 4u) {
      let four = logits[first / 4u];
      for (var i = 0u; i < 4u; i++) {
        let key = order_key(four[i]);
        if (first + i < params.V && key >= floor_key && has_prefix(key, prefix, shift)) {
          let share = mass(key, top);
          if (share >= negligible) {
            let digit = (key >> shift) % DIGITS;
            let high = floor(share * LIMB);
            let rest = share * LIMB - high;
            let middle = floor(rest * LIMB);
            atomicAdd(&bins[digit], u32(high));
            atomicAdd(&bins[DIGITS + digit], u32(middle));
            atomicAdd(&bins[2u * DIGITS + digit], u32((rest * LIMB - middle) * LIMB));
            atomicAdd(&bins[PLANE_COUNT + digit], 1u);
          }
        }
      }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var above = found_above;
      var digit = 0u;
      for (var d = DIGITS; d > 0u; d--) {
        if (atomicLoad(&bins[PLANE_COUNT + d - 1u]) == 0u) { continue; }
        // Where rounding keeps the sum below what is wanted, the lowest bin that holds an id stays chosen.
        digit = d - 1u;
        found_above = above;
        above += bin_mass(digit);
        if (above >= wanted) { break; }
      }
      found_key = prefix | (digit << shift);
    }
    prefix = workgroupUniformLoad(&found_key);
  }
  return prefix;
}

/// Smallest bound such that `wanted` of the ids below it have this key.
fn tie_bound(lane: u32, tie: u32, wanted: u32) -> u32 {
  var low = 0u;
  var high = params.V;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (lane == 0u) { atomicStore(&tie_count, 0u); }
    workgroupBarrier();
    var count = 0u;
    for (var first = lane * 4u; first < middle; first += WG * 4u) {
      let four = logits[first / 4u];
      for (var i = 0u; i < 4u; i++) {
        count += u32(first + i < middle && order_key(four[i]) == tie);
      }
    }
    atomicAdd(&tie_count, count);
    workgroupBarrier();
    if (lane == 0u) { found_rank = atomicLoad(&tie_count); }
    if (workgroupUniformLoad(&found_rank) >= wanted) { high = middle; } else { low = middle + 1u; }
  }
  return low;
}

@compute @workgroup_size(WG)
fn sample(@builtin(local_invocation_id) lid: vec3u) {
  let lane = lid.x;
  if (lane == 0u) {
    atomicStore(&largest, 0u);
    atomicStore(&first_owner, WG);
    atomicStore(&last_owner, 0u);
  }
  workgroupBarrier();
  var mine = 0u;
  for (var first = lane * 4u; first < params.V; first += WG * 4u) {
    let four = logits[first / 4u];
    for (var i = 0u; i < 4u; i++) {
      if (first + i < params.V) { mine = max(mine, order_key(four[i])); }
    }
  }
  atomicMax(&largest, mine);
  workgroupBarrier();
  if (lane == 0u) { found_key = atomicLoad(&largest); }
  let top = workgroupUniformLoad(&found_key);
  let code = order_status(top);
  if (code != 0u) {
    if (lane == 0u) {
      status[0] = code;
      tokens[params.index] = 0u;
    }
    return;
  }

  var floor_key = LOWEST_KEY;
  if (params.top_k > 0u) { floor_key = max(floor_key, kth_largest(lane, params.top_k)); }

  var tie_end = params.V;
  if (params.top_p < 1.0) {
    var part = 0.0;
    for (var first = lane * 4u; first < params.V; first += WG * 4u) {
      let four = logits[first / 4u];
      for (var i = 0u; i < 4u; i++) {
        let key = order_key(four[i]);
        if (first + i < params.V && key >= floor_key) { part += mass(key, top); }
      }
    }
    let total = workgroup_sum(lane, part);
    let wanted = params.top_p * total * REACHED;
    // All ids of less mass than this together cannot hold the rest of the mass, so none of them is needed.
    let negligible = 0.5 * (1.0 - params.top_p) * total / f32(params.V);
    floor_key = nucleus_key(lane, top, floor_key, wanted, negligible);
    if (lane == 0u) {
      let ties = atomicLoad(&bins[PLANE_COUNT + floor_key % DIGITS]);
      let needed = u32(clamp(ceil((wanted - found_above) / mass(floor_key, top)), 1.0, f32(ties)));
      found_rank = select(needed, 0u, needed >= ties);
    }
    let ties_kept = workgroupUniformLoad(&found_rank);
    if (ties_kept > 0u) { tie_end = tie_bound(lane, floor_key, ties_kept); }
  }

  // Each lane holds a run of consecutive ids, so that the lanes' sums cumulate in id order.
  let quads = (params.V + 3u) / 4u;
  let run = (quads + WG - 1u) / WG;
  let begin = min(lane * run, quads) * 4u;
  let end = min(min((lane + 1u) * run, quads) * 4u, params.V);
  var share = 0.0;
  for (var first = begin; first < end; first += 4u) {
    let four = logits[first / 4u];
    for (var i = 0u; i < 4u; i++) {
      let id = first + i;
      let key = order_key(four[i]);
      if (id < end && (key > floor_key || (key == floor_key && id < tie_end))) { share += mass(key, top); }
    }
  }
  workgroupBarrier();
  lane_values[lane] = share;
  workgroupBarrier();
  for (var reach = 1u; reach < WG; reach *= 2u) {
    var sum = lane_values[lane];
    if (lane >= reach) { sum += lane_values[lane - reach]; }
    workgroupBarrier();
    lane_values[lane] = sum;
    workgroupBarrier();
  }
  let drawn = params.draw * lane_values[WG - 1u];
  if (share > 0.0) {
    if (lane_values[lane] > drawn) { atomicMin(&first_owner, lane); }
    atomicMax(&last_owner, lane);
  }
  workgroupBarrier();
  // Rounding can leave the drawn mass above every sum; the last lane that holds any takes it then.
  if (lane != min(atomicLoad(&first_owner), atomicLoad(&last_owner))) { return; }
  var rest = drawn - (lane_values[lane] - share);
  var chosen = 0u;
  for (var id = begin; id < end; id++) {
    let key = order_key(logits[id / 4u][id % 4u]);
    if (key > floor_key || (key == floor_key && id < tie_end)) {
      let held = mass(key, top);
      if (held > 0.0) {
        chosen = id;
        rest -= held;
        if (rest < 0.0) { break; }
      }
    }
  }
  status[0] = 0u;
  tokens[params.index] = chosen;
}
