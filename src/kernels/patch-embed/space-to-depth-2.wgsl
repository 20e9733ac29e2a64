// Blocks of two cells a side of a channel-last map laid out as rows; space-to-depth.wgsl for K = 2:
//   y[b, i * gw + j, 4 * c + 2 * v + u] = x[b, (2 * i + v) * W + 2 * j + u, c],  gh = H / 2,  gw = W / 2
//
//   x  [B*H*W, C]      f32  read   maps, row by row
//   y  [B*gh*gw, 4*C]  f32  write  one block a row, in the order of a convolution's weight
//
// A lane moves one channel of one block: four loads, each beside those of its neighbours, and one store of 16 bytes.
// Limits: any sizes with at least one whole block (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,  // channels of all blocks
  C: u32,
  H: u32,
  W: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn space_to_depth_2(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.count) { return; }
  let gh = params.H / 2u;
  let gw = params.W / 2u;
  let C = params.C;

  let c = index % C;
  let place = index / C;
  let row = place / gw;  // of blocks, over all maps
  let top = row / gh * params.H + row % gh * 2u;
  let above = (top * params.W + place % gw * 2u) * C + c;
  let below = above + params.W * C;
  y[index] = vec4f(x[above], x[above + C], x[below], x[below + C]);
}
