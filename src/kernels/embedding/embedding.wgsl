// Embedding gather:  y[t] = scale * table[ids[start + t]],  a zero row where the id is not in the table
//
//   ids     [capacity]           u32  read   token ids
//   data    [partRows, words]    u32  read   one part of the table, in any layout of wgsl/weights.wgsl
//   scales  [partRows, blocks]   u32  read   block scales of q8 (f32 bits) and q4 (f16 pair); data again otherwise
//   y       [count, C]           f32  write  rows whose id lies in this part
//
// A lane makes one element, so that stores of neighbours join whatever the layout; the lanes of a word or block load
// it together. Each part of a split table writes its own rows and the first one also the zero rows.
// Limits: any count and C (the grid folds into y).

override WG: u32 = 256u;

struct Params {
  start: u32,
  count: u32,
  C: u32,
  stride: u32,    // elements a row of the table, a multiple of 32
  rowStart: u32,  // first table row of this part
  partRows: u32,
  V: u32,         // rows of the whole table
  scale: f32,
}

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

fn table_at(row: u32, c: u32) -> f32 {
  let at = row * params.stride + c;
  switch W_DTYPE {
    case W_F16: { return unpack2x16float(data[at / 2u])[at % 2u]; }
    case W_BF16: { return unpack_bf16(data[at / 2u])[at % 2u]; }
    case W_Q8: { return unpack_q8(data[at / 4u])[at % 4u] * bitcast<f32>(scales[at / 32u]); }
    case W_Q4: {
      let block = unpack2x16float(scales[at / 32u]);
      return unpack_q4(data[at / 8u], at % 8u >= 4u)[at % 4u] * block.x + block.y;
    }
    default: { return bitcast<f32>(data[at]); }
  }
}

@compute @workgroup_size(WG)
fn embedding(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count * params.C) { return; }
  let id = ids[params.start + i / params.C];
  if (id >= params.rowStart && id - params.rowStart < params.partRows) {
    y[i] = params.scale * table_at(id - params.rowStart, i % params.C);
  } else if (id >= params.V && params.rowStart == 0u) {
    y[i] = 0.0;
  }
}
