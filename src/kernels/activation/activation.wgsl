// Activation, element by element:  y = f(x),  f by ACTIVATION (wgsl/activations.wgsl)
//
//   x  [quads * 4]  f32  read   input
//   y  [quads * 4]  f32  write  output
//
// A lane takes four neighbours. The last quad may reach past the tensor into its buffer's padding: y is a fresh
// buffer, so nothing else lies there.
// Limits: any count (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  quads: u32,  // elements / 4, rounded up
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn activation(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.quads) { return; }
  let v = x[i];
  y[i] = vec4f(activate(v.x), activate(v.y), activate(v.z), activate(v.w));
}
