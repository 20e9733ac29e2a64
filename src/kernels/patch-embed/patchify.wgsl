// Pictures cut into patches (im2col of a convolution whose stride is its size):
//   patches[b, i * gw + j, (c * P + v) * P + u] = pixels[b, c, i * P + v, j * P + u],  gh = H / P,  gw = W / P
//
//   pixels   [B, channels, H, W]          f32  read   pictures
//   patches  [B*gh*gw, channels*P*P]      f32  write  one patch a row, in the order of a convolution's weight
//
// A lane moves one element: P is 14 as often as 16, so that runs of a picture's row start at any word. Pixels right of
// and below the last whole patch are dropped, as a convolution without padding does.
// Limits: any sizes with at least one whole patch (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,     // elements of patches
  channels: u32,
  H: u32,
  W: u32,
  P: u32,
}

@group(0) @binding(0) var<storage, read> pixels: array<f32>;
@group(0) @binding(1) var<storage, read_write> patches: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn patchify(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.count) { return; }
  let P = params.P;
  let gh = params.H / P;
  let gw = params.W / P;

  let u = index % P;
  let v = index / P % P;
  let c = index / (P * P) % params.channels;
  let place = index / (P * P * params.channels);
  let j = place % gw;
  let i = place / gw % gh;
  let b = place / (gw * gh);
  patches[index] = pixels[((b * params.channels + c) * params.H + i * P + v) * params.W + j * P + u];
}
