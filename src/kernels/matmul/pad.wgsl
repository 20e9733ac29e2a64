// Rows of K elements -> rows of `stride`, a multiple of 32, with zeros behind:  padded[m, k] = k < K ? x[m, k] : 0
//
//   x       [M, K]       f32  read   rows that start at any element
//   padded  [M, stride]  f32  write  rows a kernel can read four elements at a time, without looking at K
//
// One lane an element. Only run when K is not a multiple of 32; costs far less than the product that follows.

struct Params {
  M: u32,
  K: u32,
  stride: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> padded: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(256)
fn pad(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * 256u + lid.x;
  let m = i / params.stride;
  if (m >= params.M) { return; }
  let k = i % params.stride;
  var value = 0.0;
  if (k < params.K) { value = x[m * params.K + k]; }
  padded[i] = value;
}
