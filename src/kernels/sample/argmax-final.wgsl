// Second stage of argmax:  tokens[index] = the id of the best slice
//
//   best    [slices, 2]  u32  read    order key of each slice's largest logit, its id
//   tokens  [capacity]   u32  update  the conversation; one id is written
//   status  [1]          u32  write   0, or why no token could be chosen (wgsl/order.wgsl); the id is 0 then
//
// One workgroup; lanes stride over the slices, then a tree reduction. WG comes from reduce.wgsl.

struct Params {
  slices: u32,
  index: u32,
}

@group(0) @binding(0) var<storage, read> best: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(2) var<storage, read_write> status: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn argmax_final(@builtin(local_invocation_id) lid: vec3u) {
  let lane = lid.x;
  var mine = vec2u(0u, NO_ID);
  for (var slice = lane; slice < params.slices; slice += WG) { mine = better(mine, best[slice]); }
  let found = workgroup_best(lane, mine);
  if (lane == 0u) {
    let code = order_status(found.x);
    status[0] = code;
    tokens[params.index] = select(0u, found.y, code == 0u);
  }
}
