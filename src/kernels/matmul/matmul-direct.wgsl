// y = activate(x W^T + bias) + residual, for many rows of x, without workgroup memory: the form for CPU adapters
//
//   x         [M, K4]       vec4f  read    rows padded with zeros to the weight's stride
//   w         [rows, ...]   vec4u  read    one part of the weight, any dtype (octets.wgsl)
//   scales    [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   bias      [N]           f32    read    where HAS_BIAS
//   residual  [M, N]        f32    read    where HAS_RESIDUAL
//   y         [M, N]        f32    update  columns col_start to col_start + rows
//
// Every lane makes ROWS x COLS outputs from registers alone; lanes are neighbouring columns, so all of them read the
// same x. CPU adapters run lanes as SIMD and pay for a load by the lane and for a barrier by saving all registers:
// bigger register tiles and no barriers are what counts there.
// Limits: the host splits grids over maxDispatchFlops.

const ROWS = 4u;  // rows of y a lane computes: 4 or 8
const COLS = 4u;  // columns of y a lane computes, WG apart: 4 or 8
const WG = 8u;    // lanes of the workgroup

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

fn x_row(m: u32) -> u32 {
  return min(m, params.M - 1u) * params.K4;
}

fn w_row(row: u32) -> u32 {
  return min(row, params.rows - 1u) * params.K4;
}

@compute @workgroup_size(WG)
fn matmul_direct(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = params.m_start + wid.y * ROWS;
  let row = params.n_start + wid.x * (WG * COLS) + lane;

  // Rows past the end repeat the last one; nothing of them is stored.
  let p0 = x_row(m);
  let p1 = x_row(m + 1u);
  let p2 = x_row(m + 2u);
  let p3 = x_row(m + 3u);
  let p4 = x_row(m + 4u);
  let p5 = x_row(m + 5u);
  let p6 = x_row(m + 6u);
  let p7 = x_row(m + 7u);
  let q0 = w_row(row);
  let q1 = w_row(row + 1u * WG);
  let q2 = w_row(row + 2u * WG);
  let q3 = w_row(row + 3u * WG);
  let q4 = w_row(row + 4u * WG);
  let q5 = w_row(row + 5u * WG);
  let q6 = w_row(row + 6u * WG);
  let q7 = w_row(row + 7u * WG);

  // Sums of rows 0 to 3 (a, b) and 4 to 7 (c, d), columns 0 to 3 (a, c) and 4 to 7 (b, d). Named, not an array:
  // some CPU adapters keep arrays in memory.
  var a0 = vec4f();
  var a1 = vec4f();
  var a2 = vec4f();
  var a3 = vec4f();
  var b0 = vec4f();
  var b1 = vec4f();
  var b2 = vec4f();
  var b3 = vec4f();
  var c0 = vec4f();
  var c1 = vec4f();
  var c2 = vec4f();
  var c3 = vec4f();
  var d0 = vec4f();
  var d1 = vec4f();
  var d2 = vec4f();
  var d3 = vec4f();
  for (var k = 0u; k < params.K4; k++) {
    let w_left = mat4x4f(weight_quad(q0 + k), weight_quad(q1 + k), weight_quad(q2 + k), weight_quad(q3 + k));
    let x0 = x[p0 + k];
    let x1 = x[p1 + k];
    let x2 = x[p2 + k];
    let x3 = x[p3 + k];
    a0 += x0 * w_left;
    a1 += x1 * w_left;
    a2 += x2 * w_left;
    a3 += x3 * w_left;
    var w_right = mat4x4f();
    if (COLS == 8u) {
      w_right = mat4x4f(weight_quad(q4 + k), weight_quad(q5 + k), weight_quad(q6 + k), weight_quad(q7 + k));
      b0 += x0 * w_right;
      b1 += x1 * w_right;
      b2 += x2 * w_right;
      b3 += x3 * w_right;
    }
    if (ROWS == 8u) {
      let x4 = x[p4 + k];
      let x5 = x[p5 + k];
      let x6 = x[p6 + k];
      let x7 = x[p7 + k];
      c0 += x4 * w_left;
      c1 += x5 * w_left;
      c2 += x6 * w_left;
      c3 += x7 * w_left;
      if (COLS == 8u) {
        d0 += x4 * w_right;
        d1 += x5 * w_right;
        d2 += x6 * w_right;
        d3 += x7 * w_right;
      }
    }
  }

  // A loop over an array compiles much faster than 64 stores with their bounds and activations written out.
  var sums = array<vec4f, 16>(a0, b0, a1, b1, a2, b2, a3, b3, c0, d0, c1, d1, c2, d2, c3, d3);
  for (var i = 0u; i < ROWS * COLS; i++) {
    let to = m + i / COLS;
    let column = i % COLS;
    let from_row = row + column * WG;
    if (to < params.M && from_row < params.rows) {
      let n = params.col_start + from_row;
      y[to * params.N + n] = epilogue(sums[i / COLS * 2u + column / 4u][column % 4u], to, n);
    }
  }
}
