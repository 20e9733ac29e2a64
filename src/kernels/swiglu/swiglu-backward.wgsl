// Input gradients of a gated activation:  dGate = dy * up * f'(gate),  dUp = dy * f(gate)
//
//   dy     [count]  f32  read   gradient from above
//   gate   [count]  f32  read   forward input
//   up     [count]  f32  read   forward input
//   dGate  [count]  f32  write  dLoss/dgate
//   dUp    [count]  f32  write  dLoss/dup
//
// A lane takes one Vec.
// Limits: any count (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs
}

@group(0) @binding(0) var<storage, read> dy: array<Vec>;
@group(0) @binding(1) var<storage, read> gate: array<Vec>;
@group(0) @binding(2) var<storage, read> up: array<Vec>;
@group(0) @binding(3) var<storage, read_write> dGate: array<Vec>;
@group(0) @binding(4) var<storage, read_write> dUp: array<Vec>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn swiglu_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let g = gate[i];
  dGate[i] = dy[i] * up[i] * gate_slope(g);
  dUp[i] = dy[i] * gate_value(g);
}
