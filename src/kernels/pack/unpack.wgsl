// Rows of a weight of any dtype -> f32:  out[r, k] = decode(data[row_start + r], k)
//
//   data    [part rows, words]   u32  read    one part of a weight
//   scales  [part rows, blocks]  u32  read    q8: f32 bits; q4: pack2x16float(scale, min); not read for dense dtypes
//   out     [all rows, K]        f32  update  rows out_row to out_row + rows are written
//
// One lane an element: for exports and tests, where nothing hangs on its speed.

struct Params {
  rows: u32,
  K: u32,
  stride: u32,     // elements of a row of data, padding included
  row_start: u32,  // first row read, within the part
  out_row: u32,    // row of out it goes to
}

@group(0) @binding(0) var<storage, read> data: array<u32>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(256)
fn unpack(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * 256u + lid.x;
  let row = i / params.K;
  if (row >= params.rows) { return; }
  let k = i % params.K;
  let at = (params.row_start + row) * params.stride + k;
  let block = at / 32u;  // stride is a multiple of 32
  var value = 0.0;
  switch W_DTYPE {
    case W_F32: { value = bitcast<f32>(data[at]); }
    case W_F16: { value = unpack2x16float(data[at / 2u])[at & 1u]; }
    case W_BF16: { value = unpack_bf16(data[at / 2u])[at & 1u]; }
    case W_Q8: { value = unpack_q8(data[at / 4u])[at & 3u] * bitcast<f32>(scales[block]); }
    default: {
      let affine = unpack2x16float(scales[block]);
      value = unpack_q4(data[at / 8u], (at & 4u) != 0u)[at & 3u] * affine.x + affine.y;
    }
  }
  out[params.out_row * params.K + i] = value;
}
