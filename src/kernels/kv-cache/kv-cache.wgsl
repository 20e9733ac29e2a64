// Appends keys and values of T tokens to a cache at `position`:
//   cache_k[h, d, position + t] = k[t, h*D + d]      keys lie transposed, neighbours along the tokens
//   cache_v[h, position + t, d] = v[t, h*D + d]
//
//   k        [T, kRow]                f32    read    heads KV of D from column kStart of each row
//   v        [T, vRow]                f32    read    the same for values
//   cache_k  [KV, D4*4, capacity]     words  update  capacity a multiple of 4
//   cache_v  [KV, capacity, D4*4]     words  update
//
// One invocation writes one vector of four: for keys an aligned group of four tokens of one d, of which it keeps those
// outside the new range, so that any position works; for values four d of one token.
// Limits: D beyond the last multiple of 4 is padded by the zeros the cache starts with.

struct Params {
  T: u32,
  KV: u32,
  D: u32,
  D4: u32,
  position: u32,
  capacity4: u32,
  kRow: u32,
  kStart: u32,
  vRow: u32,
  vStart: u32,
}

@group(0) @binding(0) var<storage, read> k: array<f32>;
@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read_write> cache_k: array<KvWords>;
@group(0) @binding(3) var<storage, read_write> cache_v: array<KvWords>;
@group(0) @binding(4) var<uniform> params: Params;

override WG: u32 = 64u;

fn append_keys(index: u32) {
  let end = params.position + params.T;
  let width = params.KV * params.D;
  let column = index % width;
  let h = column / params.D;
  let d = column % params.D;
  let group = params.position / 4u + index / width;
  let at = (h * params.D4 * 4u + d) * params.capacity4 + group;
  var keys = widen(cache_k[at]);
  for (var i = 0u; i < 4u; i++) {
    let token = group * 4u + i;
    if (token >= params.position && token < end) {
      keys[i] = k[(token - params.position) * params.kRow + params.kStart + column];
    }
  }
  cache_k[at] = narrow(keys);
}

fn append_values(index: u32) {
  let d4 = index % params.D4;
  let h = (index / params.D4) % params.KV;
  let t = index / (params.D4 * params.KV);
  let from_at = t * params.vRow + params.vStart + h * params.D + d4 * 4u;
  var values = vec4f();
  for (var i = 0u; i < min(4u, params.D - d4 * 4u); i++) { values[i] = v[from_at + i]; }
  cache_v[(h * params.capacity4 * 4u + params.position + t) * params.D4 + d4] = narrow(values);
}

@compute @workgroup_size(WG)
fn append(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  let key_groups = (params.position + params.T + 3u) / 4u - params.position / 4u;
  let key_vectors = key_groups * params.KV * params.D;
  if (index < key_vectors) {
    append_keys(index);
  } else if (index - key_vectors < params.T * params.KV * params.D4) {
    append_values(index - key_vectors);
  }
}
