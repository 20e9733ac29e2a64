// delta[kv, t*G + g] = sum_d(dy[t, h, d] * y[t, h, d]), the mean of the score gradients under the softmax
//
//   dy     [T, H, D4]    vec4f  read   gradient from above
//   y      [T, H, D4]    vec4f  read   the forward output
//   delta  [KV, lse_row]  f32   write  one number a query, head h = kv*G + g
//
// One invocation a (token, head).

struct Params {
  T: u32,
  H: u32,
  G: u32,
  D4: u32,
  lse_row: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read> y: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> delta: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

override WG: u32 = 64u;

@compute @workgroup_size(WG)
fn attention_delta(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.T * params.H) { return; }
  var sum = 0.0;
  for (var i = index * params.D4; i < (index + 1u) * params.D4; i++) { sum += dot(dy[i], y[i]); }
  let t = index / params.H;
  let h = index % params.H;
  delta[(h / params.G) * params.lse_row + t * params.G + h % params.G] = sum;
}
