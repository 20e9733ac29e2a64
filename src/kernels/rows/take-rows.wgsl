// A range of rows of every picture:  y[b, i] = x[b, start + i],  i < count
//
//   x  [B, n, C]      f32  read   input
//   y  [B, count, C]  f32  write  the range
//
// A lane copies one Vec.
// Limits: any sizes (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,   // Vecs of y
  taken: u32,   // Vecs of a picture's range: count * C / WIDTH
  period: u32,  // Vecs of a picture in x: n * C / WIDTH
  start: u32,   // Vecs before the range: start * C / WIDTH
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read_write> y: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn take_rows(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  y[i] = x[(i / params.taken) * params.period + params.start + i % params.taken];
}
