// Gated activation of a fused projection:  y[t] = f(gateUp[t, :F]) * gateUp[t, F:],  f = silu or gelu_tanh by GATE
//
//   gateUp  [T, 2F]  f32  read   first half the gate, second half what is multiplied (Phi-3's gate_up_proj)
//   y       [T, F]   f32  write  output
//
// A lane makes one Vec of y.
// Limits: any T and F (Vec is vec4f where F is a multiple of 4).

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs of y
  cols: u32,   // Vecs a row of y: F / WIDTH
}

@group(0) @binding(0) var<storage, read> gateUp: array<Vec>;
@group(0) @binding(1) var<storage, read_write> y: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn swiglu_packed(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let at = i + (i / params.cols) * params.cols;
  y[i] = gate_value(gateUp[at]) * gateUp[at + params.cols];
}
