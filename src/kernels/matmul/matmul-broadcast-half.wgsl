// y = activate(x W^T + bias) + residual, for many rows of x and a weight in half precision: the form for CPU adapters with
// subgroups of eight lanes
//
//   x         [M, K4]       vec4f  read    rows padded with zeros to the weight's stride
//   w         [rows, K4]    vec2u  read    one part of the weight, f16 or bf16
//   scales    [rows, K/32]  u32    read    bound to anything
//   bias      [N]           f32    read    where HAS_BIAS
//   residual  [M, N]        f32    read    where HAS_RESIDUAL
//   y         [M, N]        f32    update  columns col_start to col_start + rows
//
// As matmul-broadcast.wgsl; four elements of K are loaded at a time and added two by two in a loop, whose code stays small.
// Limits: LANES = 8, ROWS = 8 or 16; the host splits grids over maxDispatchFlops.

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
@group(0) @binding(1) var<storage, read> w: array<vec2u>;
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

fn unpack_half(word: u32) -> vec2f {
  if (W_DTYPE == W_BF16) { return unpack_bf16(word); }
  return unpack2x16float(word);
}

@compute @workgroup_size(LANES)
fn matmul_broadcast_half(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = params.m_start + wid.y * ROWS;
  let row = params.n_start + wid.x * (LANES * 4u) + lane;

  // Rows past the end repeat the last one; nothing of them is stored.
  let p0 = x_row(m + lane);
  let p1 = x_row(m + 1u * LANES + lane);
  let q0 = w_row(row);
  let q1 = w_row(row + 1u * LANES);
  let q2 = w_row(row + 2u * LANES);
  let q3 = w_row(row + 3u * LANES);

  var tile: Tile;
  for (var k = 0u; k < params.K4; k++) {
    let w0 = w[q0 + k];
    let w1 = w[q1 + k];
    let w2 = w[q2 + k];
    let w3 = w[q3 + k];
    let x0 = x[p0 + k];
    var x1 = vec4f();
    if (ROWS > LANES) { x1 = x[p1 + k]; }
    for (var half = 0u; half < 2u; half++) {
      let upper = half == 1u;
      let columns = Columns(
        unpack_half(select(w0.x, w0.y, upper)),
        unpack_half(select(w1.x, w1.y, upper)),
        unpack_half(select(w2.x, w2.y, upper)),
        unpack_half(select(w3.x, w3.y, upper)),
      );
      let held = Held(select(x0.xy, x0.zw, upper), select(x1.xy, x1.zw, upper), Step(), Step());
      add_products(&tile, held, columns);
    }
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
