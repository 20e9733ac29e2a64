// Checkpoint rows -> q8 rows, blocks of 32:  scale = max|w| / 127,  q = round(w / scale)
//
//   raw     [raw_start + rows * K]     raw  read    checkpoint bytes as u32 words, rows unpadded
//   data    [part rows, blocks * 8]    u32  update  four signed bytes a word, the first lowest
//   scales  [part rows, blocks]        f32  update  one a block
//
// One lane a block. Columns from K on are 0. A block of zeros has scale 0.

struct Params {
  rows: u32,
  K: u32,
  blocks: u32,     // blocks of 32 in a row
  raw_start: u32,  // element of raw where the first row begins
  row_start: u32,  // row of the part the first row goes to
}

@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(1) var<storage, read_write> data: array<u32>;
@group(0) @binding(2) var<storage, read_write> scales: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn pack_q8(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * 64u + lid.x;
  let row = i / params.blocks;
  if (row >= params.rows) { return; }
  let block = i % params.blocks;
  let columns = min(32u, params.K - block * 32u);
  let start = params.raw_start + row * params.K + block * 32u;

  var values: array<f32, 32>;
  var largest = 0.0;
  for (var k = 0u; k < columns; k++) {
    values[k] = raw_value(start + k);
    largest = max(largest, abs(values[k]));
  }
  // Below the smallest normal number over 127, a quotient would not be trustworthy; such weights are zeros.
  let scale = select(0.0, largest / 127.0, largest > 1e-35);
  let inverse = select(0.0, 127.0 / largest, largest > 1e-35);

  let to = (params.row_start + row) * params.blocks + block;
  scales[to] = scale;
  for (var word = 0u; word < 8u; word++) {
    var bits = 0u;
    for (var byte = 0u; byte < 4u; byte++) {
      let q = i32(clamp(round(values[word * 4u + byte] * inverse), -127.0, 127.0));
      bits |= (bitcast<u32>(q) & 0xffu) << (byte * 8u);
    }
    data[to * 8u + word] = bits;
  }
}
