// Sums of rows, a chunk at a time:  y[b, k, c] = scale * sum of x[b, r, c] over the rows r of chunk k
//
//   x  [B, R, C]       f32  read   input; in a second pass the chunks' sums
//   y  [B, chunks, C]  f32  write  sums
//
// A lane keeps one Vec of columns and walks down its chunk, so neighbouring lanes read neighbouring words. WGSL has no
// float atomics: long sums take a second pass over the chunks, in order, which also makes them reproducible.
// Limits: any sizes (the grid folds into y).

override WG: u32 = 64u;

struct Params {
  count: u32,  // Vecs of y
  cols: u32,   // Vecs a row: C / WIDTH
  R: u32,
  chunks: u32,
  chunkRows: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read_write> y: array<Vec>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sum_rows(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.count) { return; }
  let c = index % params.cols;
  let k = index / params.cols % params.chunks;
  let b = index / (params.cols * params.chunks);
  let begin = k * params.chunkRows;
  let end = min(begin + params.chunkRows, params.R);

  var sum = Vec(0.0);
  for (var r = begin; r < end; r++) { sum += x[(b * params.R + r) * params.cols + c]; }
  y[index] = sum * params.scale;
}
