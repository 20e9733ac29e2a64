// Rotary position embedding, half-rotation form. For i in [0, R/2), with angle = position * frequencies[i]:
//   y[i]       = scale * (x[i] * cos(angle) - x[i + R/2] * sin(angle))
//   y[i + R/2] = scale * (x[i + R/2] * cos(angle) + x[i] * sin(angle))
// and y[j] = x[j] for j >= R. The transposed rotation (DIRECTION -1) is the input gradient.
//
//   x            [T, row]   f32  read   heads H of D from column `start` of each row
//   frequencies  [R/2]      f32  read   radians a position
//   positions    [T]        u32  read   position of each row; unused (any buffer) unless HAS_POSITIONS
//   y            [T, H*D]   f32  write  output
//
// One invocation makes one angle and turns that pair in HEADS heads; neighbours take neighbouring pairs, so loads
// coalesce. The angle is rounded to f32 as in the published models, then reduced exactly (wgsl/sincos.wgsl).
// Limits: R even, R <= D, angles below 2^22.
// Source: arXiv:2104.09864; halves instead of interleaved pairs as in GPT-NeoX and Llama.

struct Params {
  T: u32,
  H: u32,
  D: u32,
  R: u32,
  row: u32,
  start: u32,
  position: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> frequencies: array<f32>;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

override WG: u32 = 64u;
override HEADS: u32 = 4u;           // heads an invocation turns by one angle
override HAS_POSITIONS: bool = false;
override DIRECTION: f32 = 1.0;      // -1 turns back

@compute @workgroup_size(WG)
fn rope(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let pairs = params.R / 2u;
  let columns = params.D - pairs;  // each pair once, then the elements that pass through
  let head_groups = (params.H + HEADS - 1u) / HEADS;
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  let column = index % columns;
  let head_group = (index / columns) % head_groups;
  let t = index / (columns * head_groups);
  if (t >= params.T) { return; }

  let first = head_group * HEADS;
  let end = min(first + HEADS, params.H);
  let from_row = t * params.row + params.start;
  let to_row = t * params.H * params.D;

  if (column >= pairs) {
    for (var h = first; h < end; h++) {
      y[to_row + h * params.D + column + pairs] = x[from_row + h * params.D + column + pairs];
    }
    return;
  }

  var position = params.position + t;
  if (HAS_POSITIONS) { position = positions[t]; }
  let turn = cos_sin(f32(position) * frequencies[column]) * params.scale;
  let sine = turn.y * DIRECTION;
  for (var h = first; h < end; h++) {
    let from_at = from_row + h * params.D + column;
    let to_at = to_row + h * params.D + column;
    let a = x[from_at];
    let b = x[from_at + pairs];
    y[to_at] = a * turn.x - b * sine;
    y[to_at + pairs] = b * turn.x + a * sine;
  }
}
