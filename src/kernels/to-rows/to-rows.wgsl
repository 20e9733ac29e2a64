// Channel planes to rows:  y[i, c] = x[c, i]
//
//   x  [C, n]  f32  read   planes, as a convolution's [C, h, w] with n = h * w
//   y  [n, C]  f32  write  one row a position
//
// A lane moves RUN channels of one position; neighbouring lanes take neighbouring positions, so that reads are
// consecutive and writes come in runs. No workgroup memory and no barriers: a map is moved once a picture.
// Limits: any sizes below 2^32 elements (the grid folds into y).

const RUN = 4u;
override WG: u32 = 256u;

struct Params {
  count: u32,  // lanes with work: n * ceil(C / RUN)
  n: u32,      // positions
  C: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn to_rows(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let lane = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (lane >= params.count) { return; }
  let i = lane % params.n;
  let first = (lane / params.n) * RUN;
  for (var c = first; c < min(first + RUN, params.C); c++) {
    y[i * params.C + c] = x[c * params.n + i];
  }
}
