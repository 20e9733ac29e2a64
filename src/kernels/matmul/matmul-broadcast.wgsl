// y = activate(x W^T + bias) + residual, for many rows of x: the form for CPU adapters with subgroups
//
//   x         [M, K4]       vec4f  read    rows padded with zeros to the weight's stride
//   w         [rows, ...]   vec4u  read    one part of the weight, any dtype (octets.wgsl)
//   scales    [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   bias      [N]           f32    read    where HAS_BIAS
//   residual  [M, N]        f32    read    where HAS_RESIDUAL
//   y         [M, N]        f32    update  columns col_start to col_start + rows
//
// A workgroup is one subgroup. Lanes are neighbouring columns of y and every lane makes ROWS x 4 outputs, but of x each lane
// loads other rows, which subgroupBroadcast then hands to all: a CPU adapter fetches lane by lane even where all lanes read
// one address (lavapipe: 65 ns a vec4f, as much as a hundred multiply-adds), and moves registers for next to nothing.
// Limits: subgroups of exactly LANES = 4 or 8 lanes; the host splits grids over maxDispatchFlops.

enable subgroups;

const LANES = 8u;  // lanes of the workgroup and of the subgroup: 4 or 8
const ROWS = 16u;  // rows of y a lane computes: 8 or 16

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

@compute @workgroup_size(LANES)
fn matmul_broadcast(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = params.m_start + wid.y * ROWS;
  let row = params.n_start + wid.x * (LANES * 4u) + lane;

  // Rows past the end repeat the last one; nothing of them is stored.
  let p0 = x_row(m + lane);
  let p1 = x_row(m + 1u * LANES + lane);
  let p2 = x_row(m + 2u * LANES + lane);
  let p3 = x_row(m + 3u * LANES + lane);
  let q0 = w_row(row);
  let q1 = w_row(row + 1u * LANES);
  let q2 = w_row(row + 2u * LANES);
  let q3 = w_row(row + 3u * LANES);

  // Four columns of a row each. Named, not an array: some CPU adapters keep arrays in memory.
  var a0 = vec4f();
  var a1 = vec4f();
  var a2 = vec4f();
  var a3 = vec4f();
  var a4 = vec4f();
  var a5 = vec4f();
  var a6 = vec4f();
  var a7 = vec4f();
  var a8 = vec4f();
  var a9 = vec4f();
  var a10 = vec4f();
  var a11 = vec4f();
  var a12 = vec4f();
  var a13 = vec4f();
  var a14 = vec4f();
  var a15 = vec4f();
  for (var k = 0u; k < params.K4; k++) {
    let columns = mat4x4f(weight_quad(q0 + k), weight_quad(q1 + k), weight_quad(q2 + k), weight_quad(q3 + k));
    // Rows 0 to 15 of the tile: LANES of them in each.
    var held = array<vec4f, 4>(x[p0 + k], vec4f(), vec4f(), vec4f());
    if (ROWS > LANES) { held[1] = x[p1 + k]; }
    if (ROWS > 2u * LANES) {
      held[2] = x[p2 + k];
      held[3] = x[p3 + k];
    }
    a0 += subgroupBroadcast(held[0], 0u) * columns;
    a1 += subgroupBroadcast(held[0], 1u) * columns;
    a2 += subgroupBroadcast(held[0], 2u) * columns;
    a3 += subgroupBroadcast(held[0], 3u) * columns;
    a4 += subgroupBroadcast(held[4u / LANES], 4u % LANES) * columns;
    a5 += subgroupBroadcast(held[5u / LANES], 5u % LANES) * columns;
    a6 += subgroupBroadcast(held[6u / LANES], 6u % LANES) * columns;
    a7 += subgroupBroadcast(held[7u / LANES], 7u % LANES) * columns;
    if (ROWS == 16u) {
      a8 += subgroupBroadcast(held[8u / LANES], 8u % LANES) * columns;
      a9 += subgroupBroadcast(held[9u / LANES], 9u % LANES) * columns;
      a10 += subgroupBroadcast(held[10u / LANES], 10u % LANES) * columns;
      a11 += subgroupBroadcast(held[11u / LANES], 11u % LANES) * columns;
      a12 += subgroupBroadcast(held[12u / LANES], 12u % LANES) * columns;
      a13 += subgroupBroadcast(held[13u / LANES], 13u % LANES) * columns;
      a14 += subgroupBroadcast(held[14u / LANES], 14u % LANES) * columns;
      a15 += subgroupBroadcast(held[15u / LANES], 15u % LANES) * columns;
    }
  }

  // A loop over an array compiles much faster than 64 stores with their bounds and activations written out.
  var sums = array<vec4f, 16>(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15);
  for (var i = 0u; i < ROWS * 4u; i++) {
    let to = m + i / 4u;
    let from_row = row + i % 4u * LANES;
    if (to < params.M && from_row < params.rows) {
      let n = params.col_start + from_row;
      y[to * params.N + n] = epilogue(sums[i / 4u][i % 4u], to, n);
    }
  }
}
