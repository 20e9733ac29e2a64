// Blocks of a channel-last map laid out as rows (im2col of a convolution whose stride is its size):
//   y[b, i * gw + j, (c * K + v) * K + u] = x[b, (i * K + v) * W + j * K + u, c],  gh = H / K,  gw = W / K
//
//   x  [B*H*W, C]        f32  read   maps, row by row
//   y  [B*gh*gw, C*K*K]  f32  write  one block a row, in the order of a convolution's weight
//
// A lane moves one element. Stores run over neighbouring words; the K*K loads of a channel lie in K*K runs over channels,
// so that a warp still uses whole cache sectors. Rows and columns after the last whole block are dropped.
// Limits: any sizes with at least one whole block (the grid folds into y).

override WG: u32 = 256u;
override K: u32 = 2u;  // side of a block

struct Params {
  count: u32,  // elements of y
  C: u32,
  H: u32,
  W: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn space_to_depth(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.count) { return; }
  let gh = params.H / K;
  let gw = params.W / K;

  let u = index % K;
  let v = index / K % K;
  let channel = index / (K * K);  // over all blocks
  let c = channel % params.C;
  let place = channel / params.C;
  let j = place % gw;
  let i = place / gw % gh;
  let b = place / (gw * gh);
  y[index] = x[((b * params.H + i * K + v) * params.W + j * K + u) * params.C + c];
}
