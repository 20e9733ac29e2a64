// y = activate(x W^T + bias) + residual, for many rows of x and quantised weights, in dot products of bytes
//
//   x         [M, K/32]     Block  read    rows as quantise-rows.wgsl makes them
//   w         [rows, ...]   vec4u  read    one part of the weight, q8 or q4
//   scales    [rows, K/32]  u32    read
//   bias      [N]           f32    read    where HAS_BIAS
//   residual  [M, N]        f32    read    where HAS_RESIDUAL
//   y         [M, N]        f32    update  columns col_start to col_start + rows
//
// A workgroup of 16 x 16 lanes makes TILE_M x 64 outputs, ROWS x 4 a lane, a block of 32 along K at a time: both tiles go to
// workgroup memory as bytes, the block is summed in integers, exactly, and then scaled:
//   sum += scale_x scale_w sum(q_x q_w) + min_w scale_x sum(q_x)
// Limits: dot4I8Packed (the language feature packed_4x8_integer_dot_product); the host splits grids over maxDispatchFlops.

const ROWS = 4u;  // rows of y a lane computes: 1, 2 or 4
const TILE_M = 16u * ROWS;

struct Block {
  values: array<vec4u, 2>,
  scale: f32,
  sum: f32,  // of the values, times scale
}

struct Params {
  M: u32,
  N: u32,          // columns of y
  K4: u32,         // quarters of a row's elements, a multiple of 8
  rows: u32,       // rows of this part of the weight
  col_start: u32,  // column of y that its first row makes
  m_start: u32,    // first row of y of this dispatch
  n_start: u32,    // first weight row of this dispatch
}

@group(0) @binding(0) var<storage, read> x: array<Block>;
@group(0) @binding(1) var<storage, read> w: array<vec4u>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// First the first halves of all rows' blocks, then the second ones.
var<workgroup> x_tile: array<vec4u, TILE_M * 2u>;
var<workgroup> w_tile: array<vec4u, 128>;
var<workgroup> x_factors: array<vec2f, TILE_M>;  // scale and sum
var<workgroup> w_factors: array<vec2f, 64>;      // scale and min

/// Four nibbles, the first lowest, as four bytes.
fn spread(nibbles: u32) -> u32 {
  return (nibbles & 0xfu) | ((nibbles & 0xf0u) << 4u) | ((nibbles & 0xf00u) << 8u) | ((nibbles & 0xf000u) << 12u);
}

/// Elements 16 * i to 16 * i + 15 of the part as bytes, before scale and min.
fn weight_bytes(i: u32) -> vec4u {
  if (W_DTYPE == W_Q8) { return w[i]; }
  let words = select(w[i / 2u].xy, w[i / 2u].zw, (i & 1u) == 1u);
  return vec4u(
    spread(words.x & 0xffffu),
    spread(words.x >> 16u),
    spread(words.y & 0xffffu),
    spread(words.y >> 16u),
  );
}

fn weight_factors(block: u32) -> vec2f {
  if (W_DTYPE == W_Q8) { return vec2f(bitcast<f32>(scales[block]), 0.0); }
  return unpack2x16float(scales[block]);
}

/// A block of one row.
struct Bytes {
  first: vec4u,
  second: vec4u,
}

fn w_block(row: u32) -> Bytes {
  return Bytes(w_tile[row], w_tile[64u + row]);
}

fn dot16(a: vec4u, b: vec4u) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}

fn dot32(a: Bytes, b: Bytes) -> i32 {
  return dot16(a.first, b.first) + dot16(a.second, b.second);
}

@compute @workgroup_size(256)
fn matmul_packed(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane & 15u;
  let ty = lane >> 4u;
  let m0 = params.m_start + wid.y * TILE_M;
  let n0 = params.n_start + wid.x * 64u;
  let blocks = params.K4 / 8u;

  // What this lane brings: half a block of one row, of x in the lower lanes and of the weight in the upper ones. Rows past
  // the end repeat the last one; nothing of them is stored.
  let half = lane & 1u;
  let row = (lane & 127u) >> 1u;
  let x_from = min(m0 + row, params.M - 1u) * blocks;
  let w_from = min(n0 + row, params.rows - 1u) * blocks;

  var acc: array<vec4f, ROWS>;
  for (var b = 0u; b < blocks; b++) {
    if (lane >= 128u) {
      w_tile[half * 64u + row] = weight_bytes(2u * (w_from + b) + half);
      if (half == 0u) { w_factors[row] = weight_factors(w_from + b); }
    } else if (row < TILE_M) {
      x_tile[half * TILE_M + row] = x[x_from + b].values[half];
      if (half == 0u) { x_factors[row] = vec2f(x[x_from + b].scale, x[x_from + b].sum); }
    }
    workgroupBarrier();

    let w0 = w_block(tx);
    let w1 = w_block(tx + 16u);
    let w2 = w_block(tx + 32u);
    let w3 = w_block(tx + 48u);
    let f0 = w_factors[tx];
    let f1 = w_factors[tx + 16u];
    let f2 = w_factors[tx + 32u];
    let f3 = w_factors[tx + 48u];
    for (var i = 0u; i < ROWS; i++) {
      let at = ty + 16u * i;
      let a = Bytes(x_tile[at], x_tile[TILE_M + at]);
      let dots = vec4i(dot32(a, w0), dot32(a, w1), dot32(a, w2), dot32(a, w3));
      acc[i] += vec4f(dots) * (vec4f(f0.x, f1.x, f2.x, f3.x) * x_factors[at].x);
      if (W_DTYPE == W_Q4) { acc[i] += vec4f(f0.y, f1.y, f2.y, f3.y) * x_factors[at].y; }
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
