// Bilinear resampling of channel-last maps, each axis alike:
//   s = max((o + 1/2) * step - 1/2, 0),  y[o] = (1 - f) * x[floor(s)] + f * x[floor(s) + 1],  f = s - floor(s)
//
//   x  [B*from_h*from_w, C]  f32  read   maps, row by row
//   y  [R, W]                f32  write  some rows of the new maps, in some columns
//
// A lane makes one Vec; neighbouring lanes take neighbouring channels of one place. Neighbours beyond the map are its edge.
// Limits: any sizes (the host cuts rows into dispatches, the grid folds into y).
// Source: torch.nn.functional.interpolate(mode='bilinear', align_corners=False, antialias=False).

override WG: u32 = 256u;

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
  low: u32,
  high: u32,
  share: f32,  // of high
}

fn taps_of(o: u32, step: f32, n: u32) -> Taps {
  let source = max((f32(o) + 0.5) * step - 0.5, 0.0);
  let low = min(u32(source), n - 1u);
  return Taps(low, min(low + 1u, n - 1u), min(source - f32(low), 1.0));
}

@compute @workgroup_size(WG)
fn resample_bilinear(
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
  let above = (top + rows.low) * params.from_w;
  let below = (top + rows.high) * params.from_w;
  let upper = mix(
    x[(above + columns.low) * params.cols + c],
    x[(above + columns.high) * params.cols + c],
    columns.share,
  );
  let lower = mix(
    x[(below + columns.low) * params.cols + c],
    x[(below + columns.high) * params.cols + c],
    columns.share,
  );
  y[(params.row + r) * params.stride + params.column + c] = mix(upper, lower, rows.share);
}
