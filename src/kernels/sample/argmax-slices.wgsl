// First stage of argmax:  best[s] = the largest logit of slice s and the lowest id that has it
//
//   logits  [V]          f32 bits  read   scores of the next token
//   best    [slices, 2]  u32       write  order key of the largest logit, its id
//
// One workgroup takes SLICE consecutive ids: lanes stride over it by four ids, then a tree reduction.
// Any V; a NaN wins over every number and is told to the second stage by its key. WG comes from reduce.wgsl.

override SLICE: u32 = 4096u;  // ids a workgroup, a multiple of 4

struct Params {
  V: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> best: array<vec2u>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn argmax_slices(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_id) lid: vec3u) {
  let lane = lid.x;
  let end = min((wid.x + 1u) * SLICE, params.V);
  var mine = vec2u(0u, NO_ID);
  for (var id = wid.x * SLICE + lane * 4u; id < end; id += WG * 4u) {
    let four = logits[id / 4u];
    for (var i = 0u; i < 4u; i++) {
      let key = order_key(four[i]);
      // Ids come in rising order, so a later equal never replaces an earlier one.
      if (id + i < end && (key > mine.x || mine.y == NO_ID)) { mine = vec2u(key, id + i); }
    }
  }
  let found = workgroup_best(lane, mine);
  if (lane == 0u) { best[wid.x] = found; }
}
