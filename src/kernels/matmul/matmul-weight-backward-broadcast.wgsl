// Weight gradient of y = x W^T:  dW[n, k] = sum over m of dy[m, n] x[m, k]: the form for CPU adapters with subgroups
//
//   dy  [M, N]  f32  read    gradient from above
//   x   [M, K]  f32  read    the forward input
//   dw  [N, K]  f32  update  dLoss/dW, replaced or added to
//
// A workgroup is one subgroup. Every lane makes ROWS rows x 4 neighbouring columns of dW as broadcast-rows.wgsl tells, four
// rows of x and dy at a time, and walks all of M in order, so the result is the same every time.
// Limits: subgroups of exactly LANES lanes; the host splits grids over maxDispatchFlops.

struct Params {
  M: u32,
  N: u32,
  K: u32,
  accumulate: u32,  // 1: add to dw
  n_start: u32,     // first row of dw of this dispatch
  k_start: u32,     // first column of dw of this dispatch
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dw: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

/// Four columns of a row of x; what lies past the last one repeats it.
fn x_quad(m: u32, columns: vec4u) -> vec4f {
  let source = min(m, params.M - 1u) * params.K + columns;
  return vec4f(x[source.x], x[source.y], x[source.z], x[source.w]);
}

/// Column n of four rows of dy; 0 past the last row.
fn dy_column(m: u32, n: u32) -> vec4f {
  let rows = vec4u(m, m + 1u, m + 2u, m + 3u);
  let source = min(rows, vec4u(params.M - 1u)) * params.N + min(n, params.N - 1u);
  return select(vec4f(), vec4f(dy[source.x], dy[source.y], dy[source.z], dy[source.w]), rows < vec4u(params.M));
}

@compute @workgroup_size(LANES)
fn matmul_weight_backward_broadcast(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = params.n_start + wid.y * ROWS;
  let k = params.k_start + (wid.x * LANES + lane) * 4u;
  let columns = min(vec4u(k, k + 1u, k + 2u, k + 3u), vec4u(params.K - 1u));

  var tile: Tile;
  for (var m = 0u; m < params.M; m += 4u) {
    let rows = mat4x4f(
      x_quad(m, columns),
      x_quad(m + 1u, columns),
      x_quad(m + 2u, columns),
      x_quad(m + 3u, columns),
    );
    var held = Held(dy_column(m, n + lane), vec4f(), vec4f(), vec4f());
    if (ROWS > LANES) { held[1] = dy_column(m, n + 1u * LANES + lane); }
    if (ROWS > 2u * LANES) {
      held[2] = dy_column(m, n + 2u * LANES + lane);
      held[3] = dy_column(m, n + 3u * LANES + lane);
    }
    add_products(&tile, held, transpose(rows));
  }

  // A loop over an array compiles much faster than 64 stores with their bounds written out.
  var sums = tile;
  for (var i = 0u; i < ROWS * 4u; i++) {
    let row = n + i / 4u;
    let column = k + i % 4u;
    if (row < params.N && column < params.K) {
      let at = row * params.K + column;
      let value = sums[i / 4u][i % 4u];
      if (params.accumulate == 1u) {
        dw[at] += value;
      } else {
        dw[at] = value;
      }
    }
  }
}
