// Scores of one query against the keys of a cache:  s[h, i] = scale * q[h] . k[i]
//
//   q       [H, D]                     f32    read   the query
//   k       [KV, D4*4, capacity]       words  read   keys, transposed: a vector holds four neighbouring keys
//   scores  [H, length rounded up to 4]  vec4f  write  entries beyond length are of whatever the cache holds there
//
// One invocation takes four neighbouring keys of one head, so that neighbours read neighbouring words.
// Limits: any D; H a multiple of KV.

struct Params {
  start: u32,  // first group of four keys of this dispatch
  end: u32,
  heads: u32,
  kv_heads: u32,
  D: u32,
  D4: u32,
  capacity4: u32,
  length4: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<KvWords>;
@group(0) @binding(2) var<storage, read_write> scores: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn attention_weights_scores(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let four = params.start + wid.x * WG + lane;
  let h = wid.y;
  if (four >= params.end) { return; }
  let kv_head = h / (params.heads / params.kv_heads);
  var at = kv_head * params.D4 * 4u * params.capacity4 + four;
  var sums = vec4f();
  for (var d = 0u; d < params.D; d++) {
    sums += q[h * params.D + d] * widen(k[at]);
    at += params.capacity4;
  }
  scores[h * params.length4 + four] = params.scale * sums;
}
