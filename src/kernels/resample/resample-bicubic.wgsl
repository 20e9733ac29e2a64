// Bicubic resampling of channel-last maps, each axis alike, with the cubic convolution kernel of a = -3/4:
//   s = (o + 1/2) * step - 1/2,  y[o] = sum over k = -1 .. 2 of kernel(s - floor(s) - k) * x[floor(s) + k]
//   kernel(d) = (a + 2) |d|^3 - (a + 3) d^2 + 1  up to |d| = 1,  a |d|^3 - 5a d^2 + 8a |d| - 4a  up to 2
//
//   x  [B*from_h*from_w, C]  f32  read   maps, row by row
//   y  [R, W]                f32  write  some rows of the new maps, in some columns
//
// A lane makes one Vec; neighbouring lanes take neighbouring channels of one place. Taps beyond the map are its edge.
// Limits: any sizes (the host cuts rows into dispatches, the grid folds into y).
// Source: torch.nn.functional.interpolate(mode='bicubic', align_corners=False, antialias=False).

override WG: u32 = 256u;

const A = -0.75;

struct Params {
  count: u32,   // Vecs of this dispatch
  cols: u32,    // Vecs a map row: C / WIDTH
  place: u32,   // first row made, among all rows of the new maps
  row: u32,     // row of y it goes to
  stride: u32,  // Vecs a row of y: W / WIDTH
  column: u32,  // Vecs before the columns written
  from_h: u32,
  from_w: u32,
  to_h: u32,
  to_w: u32,
  step_y: f32,
  step_x: f32,
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read_write> y: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

struct Taps {
  places: vec4u,
  shares: vec4f,
}

/// Share of a tap that lies less than 1 away.
fn near_share(d: f32) -> f32 {
  return ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0;
}

/// Share of a tap that lies between 1 and 2 away.
fn far_share(d: f32) -> f32 {
  return ((A * d - 5.0 * A) * d + 8.0 * A) * d - 4.0 * A;
}

fn taps_of(o: u32, step: f32, n: u32) -> Taps {
  let last = i32(n) - 1;
  let source = (f32(o) + 0.5) * step - 0.5;
  let low = min(i32(floor(source)), last);
  let f = clamp(source - f32(low), 0.0, 1.0);
  return Taps(
    vec4u(clamp(vec4i(low - 1, low, low + 1, low + 2), vec4i(0), vec4i(last))),
    vec4f(far_share(f + 1.0), near_share(f), near_share(1.0 - f), far_share(2.0 - f)),
  );
}

/// One map row's part: its four taps around the place.
fn along_row(start: u32, columns: Taps, c: u32) -> Vec {
  return x[(start + columns.places.x) * params.cols + c] * columns.shares.x
    + x[(start + columns.places.y) * params.cols + c] * columns.shares.y
    + x[(start + columns.places.z) * params.cols + c] * columns.shares.z
    + x[(start + columns.places.w) * params.cols + c] * columns.shares.w;
}

@compute @workgroup_size(WG)
fn resample_bicubic(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.count) { return; }
  let c = index % params.cols;
  let r = index / params.cols;
  let place = params.place + r;
  let j = place % params.to_w;
  let i = place / params.to_w % params.to_h;
  let top = place / (params.to_w * params.to_h) * params.from_h;

  let rows = taps_of(i, params.step_y, params.from_h);
  let columns = taps_of(j, params.step_x, params.from_w);
  let starts = (rows.places + top) * params.from_w;
  y[(params.row + r) * params.stride + params.column + c] =
    along_row(starts.x, columns, c) * rows.shares.x + along_row(starts.y, columns, c) * rows.shares.y
    + along_row(starts.z, columns, c) * rows.shares.z + along_row(starts.w, columns, c) * rows.shares.w;
}
