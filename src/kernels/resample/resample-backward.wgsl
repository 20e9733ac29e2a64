// Gradient of bilinear resampling:  dx[i, j] = sum over o, p of share(o, i) * share(p, j) * dy[o, p]
//   share(o, i) = how much input i counts in output o along one axis, see resample-bilinear.wgsl
//
//   dy  [B*to_h*to_w, C]      f32  read   gradient from above
//   dx  [B*from_h*from_w, C]  f32  write  dLoss/dx
//
// A lane gathers one Vec from the outputs that may read its input; no atomics, so that sums have one order.
// Limits: any sizes (the host cuts rows into dispatches, the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs of this dispatch
  cols: u32,   // Vecs a map row: C / WIDTH
  row: u32,    // first row of dx
  from_h: u32,
  from_w: u32,
  to_h: u32,
  to_w: u32,
  step_y: f32,
  step_x: f32,
}

@group(0) @binding(0) var<storage, read> dy: array<Vec>;
@group(0) @binding(1) var<storage, read_write> dx: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

/// How much input i of n counts in output o.
fn share(o: u32, i: u32, step: f32, n: u32) -> f32 {
  let source = max((f32(o) + 0.5) * step - 0.5, 0.0);
  let low = min(u32(source), n - 1u);
  let high = min(low + 1u, n - 1u);
  let f = min(source - f32(low), 1.0);
  return select(0.0, 1.0 - f, low == i) + select(0.0, f, high == i);
}

/// Outputs from x to y - 1 hold all that read input i of n: those whose source lies within 1 of it, and one more each way
/// for rounding; the outermost inputs stand for all beyond the map too.
fn readers(i: u32, step: f32, n: u32, to: u32) -> vec2u {
  let least = max((f32(i) - 0.5) / step - 1.5, 0.0);
  let most = min((f32(i) + 1.5) / step + 1.5, f32(to));
  return vec2u(select(u32(least), 0u, i == 0u), select(u32(most), to, i == n - 1u));
}

@compute @workgroup_size(WG)
fn resample_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.count) { return; }
  let c = index % params.cols;
  let place = params.row + index / params.cols;
  let j = place % params.from_w;
  let i = place / params.from_w % params.from_h;
  let top = place / (params.from_w * params.from_h) * params.to_h;

  let rows = readers(i, params.step_y, params.from_h, params.to_h);
  let columns = readers(j, params.step_x, params.from_w, params.to_w);
  var sum = Vec(0.0);
  for (var o = rows.x; o < rows.y; o++) {
    let down = share(o, i, params.step_y, params.from_h);
    if (down == 0.0) { continue; }
    for (var p = columns.x; p < columns.y; p++) {
      let across = share(p, j, params.step_x, params.from_w);
      sum += down * across * dy[((top + o) * params.to_w + p) * params.cols + c];
    }
  }
  dx[place * params.cols + c] = sum;
}
