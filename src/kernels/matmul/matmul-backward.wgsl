// Input gradient of y = x W^T:  dx[m, k] = sum over n of dy[m, n] W[n, k]
//
//   dy      [M, N]        f32    read    gradient from above
//   w       [rows, ...]   vec4u  read    one part of the weight, any dtype (octets.wgsl)
//   scales  [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   dx      [M, K]        f32    update  dLoss/dx, replaced or added to; the parts after the first add to it
//
// Every lane makes 8 rows x 8 columns of dx from registers alone: W is read along its rows, eight neighbouring elements a
// lane, and the 8 gradients that go with them are the same for all lanes. No workgroup memory, so CPU adapters are quick
// too. Limits: the host splits grids over maxDispatchFlops.

const WG = 32u;  // lanes of the workgroup, next to each other along K

struct Params {
  M: u32,
  N: u32,           // columns of dy
  K: u32,
  octets: u32,      // octets of a weight row
  rows: u32,        // rows of this part of the weight
  col_start: u32,   // column of dy its first row belongs to
  accumulate: u32,  // 1: add to dx
  m_start: u32,     // first row of dx of this dispatch
  octet_start: u32, // first octet of this dispatch
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<vec4u>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

fn dy_row(m: u32) -> u32 {
  return min(m, params.M - 1u) * params.N + params.col_start;
}

@compute @workgroup_size(WG)
fn matmul_backward(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let octet = params.octet_start + wid.x * WG + lane;
  let m = params.m_start + wid.y * 8u;
  let from_w = min(octet, params.octets - 1u);
  let p0 = dy_row(m);
  let p1 = dy_row(m + 1u);
  let p2 = dy_row(m + 2u);
  let p3 = dy_row(m + 3u);
  let p4 = dy_row(m + 4u);
  let p5 = dy_row(m + 5u);
  let p6 = dy_row(m + 6u);
  let p7 = dy_row(m + 7u);
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
  for (var n = 0u; n < params.rows; n++) {
    let values = weight_octet(n * params.octets + from_w);
    let g0 = dy[p0 + n];
    let g1 = dy[p1 + n];
    let g2 = dy[p2 + n];
    let g3 = dy[p3 + n];
    let g4 = dy[p4 + n];
    let g5 = dy[p5 + n];
    let g6 = dy[p6 + n];
    let g7 = dy[p7 + n];
    a0 += g0 * values.lo;
    a1 += g1 * values.lo;
    a2 += g2 * values.lo;
    a3 += g3 * values.lo;
    a4 += g4 * values.lo;
    a5 += g5 * values.lo;
    a6 += g6 * values.lo;
    a7 += g7 * values.lo;
    b0 += g0 * values.hi;
    b1 += g1 * values.hi;
    b2 += g2 * values.hi;
    b3 += g3 * values.hi;
    b4 += g4 * values.hi;
    b5 += g5 * values.hi;
    b6 += g6 * values.hi;
    b7 += g7 * values.hi;
  }

  // A loop over an array compiles much faster than 64 stores with their bounds written out.
  var sums = array<vec4f, 16>(a0, b0, a1, b1, a2, b2, a3, b3, a4, b4, a5, b5, a6, b6, a7, b7);
  for (var i = 0u; i < 64u; i++) {
    let row = m + i / 8u;
    let k = octet * 8u + i % 8u;
    if (row < params.M && k < params.K) {
      let at = row * params.K + k;
      let value = sums[i / 4u][i % 4u];
      if (params.accumulate == 1u) {
        dx[at] += value;
      } else {
        dx[at] = value;
      }
    }
  }
}
