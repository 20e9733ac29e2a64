// Input gradient of y = x W^T:  dx[m, k] = sum over n of dy[m, n] W[n, k]: the form for CPU adapters with subgroups
//
//   dy      [M, N]        vec2f  read    gradient from above; N is even, a column of zeros being added where it is not
//   w       [rows, ...]   Words  read    one part of the weight: dense ones by dense-quads.wgsl, else any dtype by octets.wgsl
//   scales  [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   dx      [M, K]        f32    update  dLoss/dx, replaced or added to; the parts after the first add to it
//
// A workgroup is one subgroup. Every lane makes ROWS rows x 4 neighbouring columns of dx as broadcast-rows.wgsl tells, two
// weight rows at a time. Limits: subgroups of exactly LANES lanes; the host splits grids over maxDispatchFlops.

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

alias Words = vec4u;  // vec2u with dense-quads.wgsl

@group(0) @binding(0) var<storage, read> dy: array<vec2f>;
@group(0) @binding(1) var<storage, read> w: array<Words>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

fn dy_row(m: u32) -> u32 {
  return (min(m, params.M - 1u) * params.N + params.col_start) / 2u;
}

@compute @workgroup_size(LANES)
fn matmul_backward_broadcast(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = params.m_start + wid.y * ROWS;
  let quad = params.octet_start * 2u + wid.x * LANES + lane;
  let quads = params.octets * 2u;
  // Rows and columns past the end repeat the last one; nothing of them is stored.
  let from_w = min(quad, quads - 1u);
  let p0 = dy_row(m + lane);
  let p1 = dy_row(m + 1u * LANES + lane);
  let p2 = dy_row(m + 2u * LANES + lane);
  let p3 = dy_row(m + 3u * LANES + lane);

  var tile: Tile;
  for (var pair = 0u; pair * 2u < params.rows; pair++) {
    let n = pair * 2u;
    let next = min(n + 1u, params.rows - 1u);
    let columns = transpose(mat2x4f(weight_quad(n * quads + from_w), weight_quad(next * quads + from_w)));
    var held = Held(dy[p0 + pair], Step(), Step(), Step());
    if (ROWS > LANES) { held[1] = dy[p1 + pair]; }
    if (ROWS > 2u * LANES) {
      held[2] = dy[p2 + pair];
      held[3] = dy[p3 + pair];
    }
    add_products(&tile, held, columns);
  }

  // A loop over an array compiles much faster than 64 stores with their bounds written out.
  var sums = tile;
  for (var i = 0u; i < ROWS * 4u; i++) {
    let row = m + i / 4u;
    let k = quad * 4u + i % 4u;
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
