// Checkpoint rows -> rows of an f32, f16 or bf16 weight:  data[r, :K] = convert(raw[r, :K]),  data[r, K:] = 0
//
//   raw   [raw_start + rows * K]  raw   read    checkpoint bytes as u32 words, rows unpadded
//   data  [part rows, words]      u32   update  one part of the weight; other rows are left alone
//
// One lane a word of `data`, which it writes whole, so rows that start at odd halves need no care.
// Equal dtypes keep their bits. Any rows and K; rows beyond the grid fold into y.

override W_DTYPE: u32 = 0u;  // 0 f32, 1 f16, 2 bf16

struct Params {
  rows: u32,
  K: u32,
  words: u32,      // u32 words of a row of data
  raw_start: u32,  // element of raw where the first row begins
  row_start: u32,  // row of the part the first row goes to
}

@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(1) var<storage, read_write> data: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

fn half_at(row: u32, k: u32) -> u32 {
  if (k >= params.K) { return 0u; }
  let i = params.raw_start + row * params.K + k;
  if (RAW_DTYPE == W_DTYPE) { return raw_half(i); }
  return to_half(raw_bits(i));
}

@compute @workgroup_size(256)
fn pack_dense(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * 256u + lid.x;
  let row = i / params.words;
  if (row >= params.rows) { return; }
  let word = i % params.words;
  var bits = 0u;
  if (W_DTYPE == 0u) {
    if (word < params.K) { bits = raw_bits(params.raw_start + row * params.K + word); }
  } else {
    bits = half_at(row, 2u * word) | (half_at(row, 2u * word + 1u) << 16u);
  }
  data[(params.row_start + row) * params.words + word] = bits;
}
