// Weight gradient of y = x W^T:  dW[n, k] = sum over m of dy[m, n] x[m, k]: the form for CPU adapters with subgroups
//
//   dy  [M, N]  vec4f  read    gradient from above; rows padded with zeros to whole vectors
//   x   [M, K]  vec4f  read    the forward input, padded likewise
//   dw  [N, K]  f32    update  dLoss/dW, replaced or added to
//
// A workgroup is one subgroup. Every lane makes ROWS rows x 4 neighbouring columns of dW as broadcast-rows.wgsl tells, two
// rows of x and dy at a time, and walks all of M in order, so the result is the same every time. A lane loads four
// neighbouring rows of dW's: tile[i * LANES + lane] is the one 4 * lane + i behind the first.
// Limits: subgroups of exactly LANES lanes, ROWS = 4 * LANES; the host splits grids over maxDispatchFlops.

struct Params {
  M: u32,
  N: u32,
  K: u32,
  accumulate: u32,  // 1: add to dw
  n_start: u32,     // first row of dw of this dispatch
  k_start: u32,     // first column of dw of this dispatch
}

@group(0) @binding(0) var<storage, read> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dw: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn matmul_weight_backward_broadcast(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = params.n_start + wid.y * ROWS;
  let k = params.k_start + (wid.x * LANES + lane) * 4u;
  // Vectors past the end repeat the last one; nothing of them is stored.
  let dy4 = (params.N + 3u) / 4u;
  let x4 = (params.K + 3u) / 4u;
  let from_dy = min(n / 4u + lane, dy4 - 1u);
  let from_x = min(k / 4u, x4 - 1u);

  var tile: Tile;
  for (var m = 0u; m < params.M; m += 2u) {
    let next = min(m + 1u, params.M - 1u);
    let columns = transpose(mat2x4f(x[m * x4 + from_x], x[next * x4 + from_x]));
    let a = dy[m * dy4 + from_dy];
    var b = dy[next * dy4 + from_dy];
    if (m + 1u == params.M) { b = vec4f(); }
    add_products(&tile, Held(vec2f(a.x, b.x), vec2f(a.y, b.y), vec2f(a.z, b.z), vec2f(a.w, b.w)), columns);
  }

  // A loop over an array compiles much faster than 64 stores with their bounds written out.
  var sums = tile;
  for (var i = 0u; i < ROWS * 4u; i++) {
    let row = n + i / 4u % LANES * 4u + i / 4u / LANES;
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
