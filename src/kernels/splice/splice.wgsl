// Splice of rows into rows, in place:  tokens[at[r]] = rows[r]
//
//   rows    [R, C]  f32  read    image features
//   at      [R]     u32  read    their places among the tokens; a place >= T is skipped
//   tokens  [T, C]  f32  update  token embeddings
//
// A lane copies one Vec. Places should differ: of two rows with one place, either may win.
// Limits: any R, T and C (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  count: u32,  // Vecs of rows
  cols: u32,   // Vecs a row: C / WIDTH
  T: u32,
}

@group(0) @binding(0) var<storage, read> rows: array<Vec>;
@group(0) @binding(1) var<storage, read> at: array<u32>;
@group(0) @binding(2) var<storage, read_write> tokens: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn splice(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count) { return; }
  let place = at[i / params.cols];
  if (place >= params.T) { return; }
  tokens[place * params.cols + i % params.cols] = rows[i];
}
