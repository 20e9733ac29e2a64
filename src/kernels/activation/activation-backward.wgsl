// Input gradient of an activation:  dx = dy * f'(x),  f by ACTIVATION (wgsl/activations.wgsl)
//
//   dy  [quads * 4]  f32  read   gradient from above
//   x   [quads * 4]  f32  read   the forward input
//   dx  [quads * 4]  f32  write  dLoss/dx
//
// A lane takes four neighbours; the last quad may reach into dx's own padding, as in the forward pass.
// Limits: any count (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  quads: u32,  // elements / 4, rounded up
}

@group(0) @binding(0) var<storage, read> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn activation_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.quads) { return; }
  let v = x[i];
  dx[i] = dy[i] * vec4f(activate_grad(v.x), activate_grad(v.y), activate_grad(v.z), activate_grad(v.w));
}
