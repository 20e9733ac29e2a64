// Gated activation of an MLP:  y = f(gate) * up,  f = silu (SwiGLU) or gelu_tanh (GeGLU) by GATE
//
//   gate  [count]  f32  read   goes through the activation
//   up    [count]  f32  read   is multiplied
//   y     [count]  f32  write  output
//
// A lane takes one Vec.
// Limits: any count (the grid folds into y).
// Source: Shazeer 2020, arXiv:2002.05202.

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs
}

@group(0) @binding(0) var<storage, read> gate: array<Vec>;
@group(0) @binding(1) var<storage, read> up: array<Vec>;
@group(0) @binding(2) var<storage, read_write> y: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn swiglu(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  y[i] = gate_value(gate[i]) * up[i];
}
