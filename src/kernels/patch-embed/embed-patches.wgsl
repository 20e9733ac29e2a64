// Class token and positions of a vision tower:  y[b] = [cls; patches[b]] + position
//
//   patches   [B*n, C]  f32  read   projected patches
//   position  [S, C]    f32  read   S = n, or n + 1 with a class token
//   cls       [C]       f32  read   class token; position again where there is none
//   y         [B*S, C]  f32  write  the tower's input
//
// A lane makes one Vec.
// Limits: any sizes (the grid folds into y).

override WG: u32 = 256u;
override HAS_CLS: bool = false;

struct Params {
  count: u32,  // Vecs of y
  cols: u32,   // Vecs a row: C / WIDTH
  S: u32,
}

@group(0) @binding(0) var<storage, read> patches: array<Vec>;
@group(0) @binding(1) var<storage, read> position: array<Vec>;
@group(0) @binding(2) var<storage, read> cls: array<Vec>;
@group(0) @binding(3) var<storage, read_write> y: array<Vec>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn embed_patches(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.count) { return; }
  let period = params.S * params.cols;
  let within = index % period;
  var value = Vec(0.0);
  if (HAS_CLS) {
    // Each picture before this one put one more row into y than there are patches.
    let shift = (index / period + 1u) * params.cols;
    if (within < params.cols) { value = cls[within]; } else { value = patches[index - shift]; }
  } else {
    value = patches[index];
  }
  y[index] = value + position[within];
}
