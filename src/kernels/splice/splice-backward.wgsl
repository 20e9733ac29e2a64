// Gradient of the spliced rows:  dRows[r] = dTokens[at[r]],  zeros where at[r] >= T
//
//   dTokens  [T, C]  f32  read   gradient of the spliced tokens
//   at       [R]     u32  read   places of the rows
//   dRows    [R, C]  f32  write  dLoss/drows
//
// A lane copies one Vec.
// Limits: any R, T and C (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs of dRows
  cols: u32,   // Vecs a row: C / WIDTH
  T: u32,
}

@group(0) @binding(0) var<storage, read> dTokens: array<Vec>;
@group(0) @binding(1) var<storage, read> at: array<u32>;
@group(0) @binding(2) var<storage, read_write> dRows: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn splice_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let place = at[i / params.cols];
  var value = Vec(0.0);
  if (place < params.T) { value = dTokens[place * params.cols + i % params.cols]; }
  dRows[i] = value;
}
