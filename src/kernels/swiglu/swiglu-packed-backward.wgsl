// Input gradient of a fused projection's gated activation:
//   dGateUp[t, :F] = dy * up * f'(gate),  dGateUp[t, F:] = dy * f(gate),  gate = gateUp[t, :F],  up = gateUp[t, F:]
//
//   dy       [T, F]   f32  read   gradient from above
//   gateUp   [T, 2F]  f32  read   forward input
//   dGateUp  [T, 2F]  f32  write  dLoss/dgateUp
//
// A lane takes one Vec of dy and writes both halves.
// Limits: any T and F (Vec is vec4f where F is a multiple of 4).

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs of dy
  cols: u32,   // Vecs a row of dy: F / WIDTH
}

@group(0) @binding(0) var<storage, read> dy: array<Vec>;
@group(0) @binding(1) var<storage, read> gateUp: array<Vec>;
@group(0) @binding(2) var<storage, read_write> dGateUp: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn swiglu_packed_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let at = i + (i / params.cols) * params.cols;
  let g = gateUp[at];
  dGateUp[at] = dy[i] * gateUp[at + params.cols] * gate_slope(g);
  dGateUp[at + params.cols] = dy[i] * gate_value(g);
}
