// Checkpoint rows -> q4 rows, blocks of 32:  w = q * scale + min,  scale = (max - min) / 15,  q = round((w - min) / scale)
//
//   raw     [raw_start + rows * K]     raw  read    checkpoint bytes as u32 words, rows unpadded
//   data    [part rows, blocks * 4]    u32  update  eight nibbles a word, the first lowest
//   scales  [part rows, blocks]        u32  update  pack2x16float(scale, min)
//
// One lane a block. scale and min are rounded to f16 first, so that each q is the nearest for the values that will be
// decoded. Columns from K on take no part in the extremes and get q = 0. |w| above 65504 saturates.

struct Params {
  rows: u32,
  K: u32,
  blocks: u32,     // blocks of 32 in a row
  raw_start: u32,  // element of raw where the first row begins
  row_start: u32,  // row of the part the first row goes to
}

@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(1) var<storage, read_write> data: array<u32>;
@group(0) @binding(2) var<storage, read_write> scales: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn pack_q4(
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
  var least = raw_value(start);
  var largest = least;
  for (var k = 0u; k < 32u; k++) {
    values[k] = raw_value(start + min(k, columns - 1u));
    least = min(least, values[k]);
    largest = max(largest, values[k]);
  }
  let min_bits = to_half(bitcast<u32>(least));
  let base = unpack2x16float(min_bits).x;
  // From the rounded minimum, so that the top of the range stays in reach.
  let scale_bits = to_half(bitcast<u32>(max(largest - base, 0.0) / 15.0));
  let scale = unpack2x16float(scale_bits).x;
  let inverse = select(0.0, 1.0 / scale, scale > 0.0);

  let to = (params.row_start + row) * params.blocks + block;
  scales[to] = scale_bits | (min_bits << 16u);
  for (var word = 0u; word < 4u; word++) {
    var bits = 0u;
    for (var nibble = 0u; nibble < 8u; nibble++) {
      let k = word * 8u + nibble;
      let q = u32(clamp(round((values[k] - base) * inverse), 0.0, 15.0));
      bits |= select(0u, q, k < columns) << (nibble * 4u);
    }
    data[to * 4u + word] = bits;
  }
}
