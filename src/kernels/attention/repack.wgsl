// Copies heads into rows of another head length, or transposed:
//   rows:        to[r, h, d] = from[r, start + h*D + d],  0 for d >= D
//   TRANSPOSED:  to[b, h, d, s] = from[b*T + s / G, start + (h*G + s % G)*D + d],  0 for d >= D and s >= T*G
//
//   from_rows  [B*T, row]                             f32  read   heads from column `start`
//   to_rows    [B*T, H*to_D] or [B, H, to_D, to_row]  f32  write
//
// One invocation an element written, neighbours along its last axis; heads longer than to_D are cut. Transposed, the G
// query heads that share a key/value head lie side by side, tokens apart, as one axis of T*G rows.

struct Params {
  rows: u32,
  H: u32,
  G: u32,
  D: u32,
  row: u32,
  start: u32,
  to_D: u32,
  T: u32,
  to_row: u32,
}

@group(0) @binding(0) var<storage, read> from_rows: array<f32>;
@group(0) @binding(1) var<storage, read_write> to_rows: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

override WG: u32 = 64u;
override TRANSPOSED: bool = false;

@compute @workgroup_size(WG)
fn repack(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  var r = 0u;
  var h = 0u;
  var d = 0u;
  if (TRANSPOSED) {
    let s = index % params.to_row;
    d = (index / params.to_row) % params.to_D;
    h = (index / (params.to_row * params.to_D)) % params.H * params.G + s % params.G;
    let b = index / (params.to_row * params.to_D * params.H);
    r = b * params.T + s / params.G;
    if (b * params.T >= params.rows) { return; }
    if (s >= params.T * params.G) { d = params.D; }
  } else {
    d = index % params.to_D;
    h = (index / params.to_D) % params.H;
    r = index / (params.to_D * params.H);
    if (r >= params.rows) { return; }
  }
  var value = 0.0;
  if (d < params.D) { value = from_rows[r * params.row + params.start + h * params.D + d]; }
  to_rows[index] = value;
}
