// Norm over all gradients and the factor that clips them:
//   norm = sqrt(sum(partials)),  scale = min(1, max_norm / (norm + 1e-6));  no clipping (scale 1) where max_norm is 0
//
//   partials  [P]  vec2f  read   sums of squares and whether one of their entries was not finite
//   clip      [4]  u32    write  bits of the f32: norm, scale, 1, 0; where an entry was not finite or the sum overflows:
//                                NaN, 0, 0, 0
//
// One workgroup; lanes add runs of 16 and then these sums, in the same order always.
// Source: torch.nn.utils.clip_grad_norm_.

const NAN_BITS = 0x7fc00000u;  // written as an integer: drivers may assume that no float is a NaN

struct Params {
  count: u32,  // partials
  max_norm: f32,
}

@group(0) @binding(0) var<storage, read> partials: array<vec2f>;
@group(0) @binding(1) var<storage, read_write> clip: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gradient_norm(@builtin(local_invocation_id) lid: vec3u) {
  let lane = lid.x;
  var sum = vec2f();
  for (var start = lane; start < params.count; start += 16u * WG) {
    var run = vec2f();
    for (var i = start; i < min(start + 16u * WG, params.count); i += WG) { run += partials[i]; }
    sum += run;
  }
  let sums = workgroup_sum4(lane, vec4f(sum, 0.0, 0.0));
  if (lane > 0u) { return; }
  let is_finite = sums.y == 0.0 && (bitcast<u32>(sums.x) & 0x7f800000u) != 0x7f800000u;
  let norm = sqrt(sums.x);
  var scale = 1.0;
  if (params.max_norm > 0.0) { scale = min(1.0, params.max_norm / (norm + 1e-6)); }
  clip[0] = select(NAN_BITS, bitcast<u32>(norm), is_finite);
  clip[1] = select(0u, bitcast<u32>(scale), is_finite);
  clip[2] = select(0u, bitcast<u32>(1.0), is_finite);
  clip[3] = 0u;
}
