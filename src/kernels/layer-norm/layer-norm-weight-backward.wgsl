// First pass of LayerNorm's parameter gradients: column sums over one chunk of rows.
//   partial[chunk, 0] = sum of dy * xhat,  partial[chunk, 1] = sum of dy,  xhat = (x - mean) * rstd
//
//   dy          [rows, C]       f32  read   gradient from above
//   x           [rows, C]       f32  read   the forward input
//   statistics  [rows, 2]       f32  read   mean and rstd of each row
//   partial     [chunks, 2, C]  f32  write  sums of each chunk
//
// A lane keeps one Vec of columns and walks down its chunk's rows, so neighbouring lanes read neighbouring words.
// WGSL has no float atomics: a second kernel adds the chunks in order, which also makes the result reproducible.
// Limits: chunks at most 65,535; any rows, any C.

override WG: u32 = 64u;

struct Params {
  rows: u32,
  cols: u32,  // Vecs a row: C / WIDTH
  chunkRows: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<Vec>;
@group(0) @binding(1) var<storage, read> x: array<Vec>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> partial: array<Vec>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn layer_norm_weight_backward(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_id) lid: vec3u) {
  let c = wid.x * WG + lid.x;
  if (c >= params.cols) { return; }
  let chunk = wid.y;
  let begin = chunk * params.chunkRows;
  let end = min(begin + params.chunkRows, params.rows);

  var dw = Vec(0.0);
  var db = Vec(0.0);
  for (var row = begin; row < end; row++) {
    let at = row * params.cols + c;
    let g = dy[at];
    dw += g * (x[at] - statistics[row].x) * statistics[row].y;
    db += g;
  }
  partial[(2u * chunk) * params.cols + c] = dw;
  partial[(2u * chunk + 1u) * params.cols + c] = db;
}
