// y = activate(x W^T + bias) + residual, for many rows of x
//
//   x         [M, K4]       vec4f  read    rows padded with zeros to the weight's stride
//   w         [rows, ...]   vec4u  read    one part of the weight, any dtype (octets.wgsl)
//   scales    [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   bias      [N]           f32    read    where HAS_BIAS
//   residual  [M, N]        f32    read    where HAS_RESIDUAL
//   y         [M, N]        f32    update  columns col_start to col_start + rows
//
// A workgroup of 16 x 16 lanes makes TILE_M x 64 outputs, ROWS x 4 a lane. Steps of 32 along K: both tiles go to
// workgroup memory as f32 (weights are decoded once a tile), then each lane does ROWS x 4 dot products from there.
// Tile rows are 8 vec4f with the column index xored by the row, which spreads neighbouring rows over the banks.
// Limits: workgroup memory 8 KiB + 2 KiB * ROWS; the host splits grids over maxDispatchFlops.

const ROWS = 4u;  // rows of y a lane computes: 1, 2, 4 or 8
const TILE_M = 16u * ROWS;

struct Params {
  M: u32,
  N: u32,          // columns of y
  K4: u32,         // vec4f in a row of x, a multiple of 8
  rows: u32,       // rows of this part of the weight
  col_start: u32,  // column of y that its first row makes
  m_start: u32,    // first row of y of this dispatch
  n_start: u32,    // first weight row of this dispatch
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> w: array<vec4u>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

var<workgroup> x_tile: array<vec4f, TILE_M * 8u>;
var<workgroup> w_tile: array<vec4f, 512>;

@compute @workgroup_size(256)
fn matmul_tile(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane & 15u;
  let ty = lane >> 4u;
  let m0 = params.m_start + wid.y * TILE_M;
  let n0 = params.n_start + wid.x * 64u;

  // What this lane brings: vec4f c of rows r, r + 32 ... of x, and octet o of one weight row. Rows past the end repeat
  // the last one; nothing of them is stored.
  let x_row = lane >> 3u;
  let x_col = lane & 7u;
  let w_row = lane >> 2u;
  let w_octet = lane & 3u;
  let w_from = min(n0 + w_row, params.rows - 1u) * (params.K4 / 2u) + w_octet;
  let w_to = w_row * 8u;
  let w_xor = w_row & 7u;

  var acc: array<vec4f, ROWS>;
  for (var k4 = 0u; k4 < params.K4; k4 += 8u) {
    for (var r = x_row; r < TILE_M; r += 32u) {
      x_tile[r * 8u + (x_col ^ (r & 7u))] = x[min(m0 + r, params.M - 1u) * params.K4 + k4 + x_col];
    }
    let octet = weight_octet(w_from + k4 / 2u);
    w_tile[w_to + ((2u * w_octet) ^ w_xor)] = octet.lo;
    w_tile[w_to + ((2u * w_octet + 1u) ^ w_xor)] = octet.hi;
    workgroupBarrier();

    for (var c = 0u; c < 8u; c++) {
      let w_at = tx * 8u + (c ^ (tx & 7u));
      let w0 = w_tile[w_at];
      let w1 = w_tile[w_at + 128u];
      let w2 = w_tile[w_at + 256u];
      let w3 = w_tile[w_at + 384u];
      let x_at = ty * 8u + (c ^ (ty & 7u));
      for (var i = 0u; i < ROWS; i++) {
        let a = x_tile[x_at + i * 128u];
        acc[i] += vec4f(dot(a, w0), dot(a, w1), dot(a, w2), dot(a, w3));
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < ROWS; i++) {
    let m = m0 + ty + 16u * i;
    if (m >= params.M) { break; }
    for (var j = 0u; j < 4u; j++) {
      let row = n0 + tx + 16u * j;
      if (row < params.rows) {
        let n = params.col_start + row;
        y[m * params.N + n] = epilogue(acc[i][j], m, n);
      }
    }
  }
}
