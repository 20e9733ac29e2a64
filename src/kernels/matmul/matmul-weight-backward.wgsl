// Weight gradient of y = x W^T:  dW[n, k] = sum over m of dy[m, n] x[m, k]
//
//   dy  [M, N]  f32  read    gradient from above
//   x   [M, K]  f32  read    the forward input
//   dw  [N, K]  f32  update  dLoss/dW, replaced or added to
//
// Every lane makes 8 rows x 8 columns of dW from registers alone and walks all of M in order, so the result is the same
// every time. Its columns are WG apart: neighbouring lanes read neighbouring x. Limits: the host splits grids over
// maxDispatchFlops.

const WG = 32u;  // lanes of the workgroup

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

@compute @workgroup_size(WG)
fn matmul_weight_backward(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let k = params.k_start + wid.x * (8u * WG) + lane;
  let n = params.n_start + wid.y * 8u;
  // Rows and columns past the end repeat the last one; nothing of them is stored.
  let k0 = min(k, params.K - 1u);
  let k1 = min(k + 1u * WG, params.K - 1u);
  let k2 = min(k + 2u * WG, params.K - 1u);
  let k3 = min(k + 3u * WG, params.K - 1u);
  let k4 = min(k + 4u * WG, params.K - 1u);
  let k5 = min(k + 5u * WG, params.K - 1u);
  let k6 = min(k + 6u * WG, params.K - 1u);
  let k7 = min(k + 7u * WG, params.K - 1u);
  let n0 = min(n, params.N - 1u);
  let n1 = min(n + 1u, params.N - 1u);
  let n2 = min(n + 2u, params.N - 1u);
  let n3 = min(n + 3u, params.N - 1u);
  let n4 = min(n + 4u, params.N - 1u);
  let n5 = min(n + 5u, params.N - 1u);
  let n6 = min(n + 6u, params.N - 1u);
  let n7 = min(n + 7u, params.N - 1u);
  var a0 = vec4f();
  var a1 = vec4f();
  var a2 = vec4f();
  var a3 = vec4f();
  var a4 = vec4f();
  var a5 = vec4f();
  var a6 = vec4f();
  var a7 = vec4f();
  var b0 = vec4f();
  var b1 = vec4f();
  var b2 = vec4f();
  var b3 = vec4f();
  var b4 = vec4f();
  var b5 = vec4f();
  var b6 = vec4f();
  var b7 = vec4f();
  for (var m = 0u; m < params.M; m++) {
    let row = m * params.K;
    let lo = vec4f(x[row + k0], x[row + k1], x[row + k2], x[row + k3]);
    let hi = vec4f(x[row + k4], x[row + k5], x[row + k6], x[row + k7]);
    let from_dy = m * params.N;
    let g0 = dy[from_dy + n0];
    let g1 = dy[from_dy + n1];
    let g2 = dy[from_dy + n2];
    let g3 = dy[from_dy + n3];
    let g4 = dy[from_dy + n4];
    let g5 = dy[from_dy + n5];
    let g6 = dy[from_dy + n6];
    let g7 = dy[from_dy + n7];
    a0 += g0 * lo;
    a1 += g1 * lo;
    a2 += g2 * lo;
    a3 += g3 * lo;
    a4 += g4 * lo;
    a5 += g5 * lo;
    a6 += g6 * lo;
    a7 += g7 * lo;
    b0 += g0 * hi;
    b1 += g1 * hi;
    b2 += g2 * hi;
    b3 += g3 * hi;
    b4 += g4 * hi;
    b5 += g5 * hi;
    b6 += g6 * hi;
    b7 += g7 * hi;
  }

  // A loop over an array compiles much faster than 64 stores with their bounds written out.
  var sums = array<vec4f, 16>(a0, b0, a1, b1, a2, b2, a3, b3, a4, b4, a5, b5, a6, b6, a7, b7);
  for (var i = 0u; i < 64u; i++) {
    let row = n + i / 8u;
    let column = k + i % 8u * WG;
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
