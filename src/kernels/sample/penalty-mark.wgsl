// Marks the ids a conversation holds:  bit id of seen = 1 for every id in tokens[0 .. length)
//
//   tokens  [capacity]  u32  read    the conversation
//   seen    [V / 32]    u32  update  a bit an id, zero before
//
// One lane a token. Ids of V and above, as placeholders of images can be, are passed over.

override WG: u32 = 256u;

struct Params {
  length: u32,
  V: u32,
}

@group(0) @binding(0) var<storage, read> tokens: array<u32>;
@group(0) @binding(1) var<storage, read_write> seen: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn penalty_mark(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let at = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (at >= params.length) { return; }
  let id = tokens[at];
  if (id < params.V) { atomicOr(&seen[id / 32u], 1u << (id % 32u)); }
}
