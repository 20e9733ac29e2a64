// Gradient of the positions within a window:  dPositions[u, v] = sum over all windows of dy at their cell (u, v)
//
//   dy          [B*S*S, C]  f32  read   gradient from above
//   dPositions  [r*r, C]    f32  write  dLoss/dpositions
//
// A workgroup makes one cell's sums for COLUMNS Vecs; each of its SPLIT rows of lanes adds every SPLIT-th row of windows,
// and the parts are added in a fixed order.
// Limits: r*r and C / WIDTH / COLUMNS at most 65,535; any S that r divides.

override COLUMNS: u32 = 32u;
override SPLIT: u32 = 8u;

struct Params {
  cols: u32,  // Vecs a row: C / WIDTH
  S: u32,
  r: u32,     // side of a window
  B: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Vec>;
@group(0) @binding(1) var<storage, read_write> dPositions: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> parts: array<Vec, COLUMNS * SPLIT>;

@compute @workgroup_size(COLUMNS, SPLIT)
fn window_position_backward(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let c = wid.x * COLUMNS + lid.x;
  let cell = wid.y;
  let windows = params.S / params.r;  // of a side
  var sum = Vec(0.0);
  if (c < params.cols) {
    for (var line = lid.y; line < params.B * windows; line += SPLIT) {
      // Rows of windows of all maps lie r map rows apart.
      let start = (line * params.r + cell / params.r) * params.S + cell % params.r;
      for (var k = 0u; k < windows; k++) { sum += dy[(start + k * params.r) * params.cols + c]; }
    }
  }
  parts[lid.y * COLUMNS + lid.x] = sum;
  workgroupBarrier();
  if (lid.y == 0u && c < params.cols) {
    for (var k = 1u; k < SPLIT; k++) { sum += parts[k * COLUMNS + lid.x]; }
    dPositions[cell * params.cols + c] = sum;
  }
}
