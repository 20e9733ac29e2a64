// Second pass of LayerNorm's parameter gradients: adds the chunks' sums in order.
//
//   partial  [chunks, 2, C]  f32  read    sums of each chunk: dWeight, dBias
//   dWeight  [C]             f32  update  gradient of the gain
//   dBias    [C]             f32  update  gradient of the offset
//
// A lane owns one Vec of columns. Old values are added where `accumulate` is 1 and never read otherwise.
// Limits: any chunks, any C.

override WG: u32 = 64u;

struct Params {
  chunks: u32,
  cols: u32,        // Vecs a row: C / WIDTH
  accumulate: u32,  // 0 or 1
}

@group(0) @binding(0) var<storage, read> partial: array<Vec>;
@group(0) @binding(1) var<storage, read_write> dWeight: array<Vec>;
@group(0) @binding(2) var<storage, read_write> dBias: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn layer_norm_weight_reduce(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_id) lid: vec3u) {
  let c = wid.x * WG + lid.x;
  if (c >= params.cols) { return; }
  var dw = Vec(0.0);
  var db = Vec(0.0);
  if (params.accumulate == 1u) {
    dw = dWeight[c];
    db = dBias[c];
  }
  for (var chunk = 0u; chunk < params.chunks; chunk++) {
    dw += partial[(2u * chunk) * params.cols + c];
    db += partial[(2u * chunk + 1u) * params.cols + c];
  }
  dWeight[c] = dw;
  dBias[c] = db;
}
