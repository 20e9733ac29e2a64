// y = activate(x W^T + bias) + residual, for many rows of x: the form for CPU adapters with subgroups
//
//   x         [M, K]        Step   read    rows padded with zeros to the weight's stride
//   w         [rows, ...]   Words  read    one part of the weight: f32 by pairs.wgsl, else any dtype by octets.wgsl
//   scales    [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   bias      [N]           f32    read    where HAS_BIAS
//   residual  [M, N]        f32    read    where HAS_RESIDUAL
//   y         [M, N]        f32    update  columns col_start to col_start + rows
//
// A workgroup is one subgroup. Lanes are neighbouring columns of y; every lane makes ROWS x 4 outputs as
// broadcast-rows.wgsl tells, two or four elements of K at a time.
// Limits: subgroups of exactly LANES = 4 or 8 lanes; the host splits grids over maxDispatchFlops.

struct Params {
  M: u32,
  N: u32,          // columns of y
  K4: u32,         // vec4f in a row of x, a multiple of 8
  rows: u32,       // rows of this part of the weight
  col_start: u32,  // column of y that its first row makes
  m_start: u32,    // first row of y of this dispatch
  n_start: u32,    // first weight row of this dispatch
}

alias Words = vec4u;  // vec2u with pairs.wgsl
const STEPS = 1u;     // steps in four elements of K

@group(0) @binding(0) var<storage, read> x: array<Step>;
@group(0) @binding(1) var<storage, read> w: array<Words>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

fn x_row(m: u32) -> u32 {
  return min(m, params.M - 1u) * params.K4 * STEPS;
}

fn w_row(row: u32) -> u32 {
  return min(row, params.rows - 1u) * params.K4 * STEPS;
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

  var tile: Tile;
  for (var k = 0u; k < params.K4 * STEPS; k++) {
    let columns = Columns(weight_step(q0 + k), weight_step(q1 + k), weight_step(q2 + k), weight_step(q3 + k));
    var held = Held(x[p0 + k], Step(), Step(), Step());
    if (ROWS > LANES) { held[1] = x[p1 + k]; }
    if (ROWS > 2u * LANES) {
      held[2] = x[p2 + k];
      held[3] = x[p3 + k];
    }
    add_products(&tile, held, columns);
  }

  // A loop over an array compiles much faster than 64 stores with their bounds and activations written out.
  var sums = tile;
  for (var i = 0u; i < ROWS * 4u; i++) {
    let to = m + i / 4u;
    let from_row = row + i % 4u * LANES;
    if (to < params.M && from_row < params.rows) {
      let n = params.col_start + from_row;
      y[to * params.N + n] = epilogue(sums[i / 4u][i % 4u], to, n);
    }
  }
}
