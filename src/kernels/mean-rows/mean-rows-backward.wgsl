// Gradient of means over rows:  dx[b, r, c] = dy[b, c] / R
//
//   dy  [B, C]     f32  read   gradient from above
//   dx  [B, R, C]  f32  write  dLoss/dx
//
// A lane makes one Vec.
// Limits: any sizes (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,   // Vecs of dx
  cols: u32,    // Vecs a row: C / WIDTH
  period: u32,  // Vecs of R rows
  scale: f32,   // 1 / R
}

@group(0) @binding(0) var<storage, read> dy: array<Vec>;
@group(0) @binding(1) var<storage, read_write> dx: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn mean_rows_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  dx[i] = params.scale * dy[i / params.period * params.cols + i % params.cols];
}
