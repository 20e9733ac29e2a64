// Input gradient of y = x W^T:  dx[m, k] = sum over n of dy[m, n] W[n, k]: the form for CPU adapters with subgroups
//
//   dy      [M, N]        f32    read    gradient from above
//   w       [rows, ...]   vec4u  read    one part of the weight, any dtype (octets.wgsl)
//   scales  [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   dx      [M, K]        f32    update  dLoss/dx, replaced or added to; the parts after the first add to it
//
// A workgroup is one subgroup. Every lane makes ROWS rows x 4 neighbouring columns of dx as broadcast-rows.wgsl tells, four
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

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<vec4u>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

fn dy_row(m: u32) -> u32 {
  return min(m, params.M - 1u) * params.N + params.col_start;
}

/// Four gradients of a row; 0 past the part's last column.
fn dy_quad(row: u32, n: u32) -> vec4f {
  let at = vec4u(n, n + 1u, n + 2u, n + 3u);
  let source = row + min(at, vec4u(params.rows - 1u));
  let values = vec4f(dy[source.x], dy[source.y], dy[source.z], dy[source.w]);
  return select(vec4f(), values, at < vec4u(params.rows));
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
  for (var n = 0u; n < params.rows; n += 4u) {
    let last = params.rows - 1u;
    let rows = mat4x4f(
      weight_quad(n * quads + from_w),
      weight_quad(min(n + 1u, last) * quads + from_w),
      weight_quad(min(n + 2u, last) * quads + from_w),
      weight_quad(min(n + 3u, last) * quads + from_w),
    );
    var held = Held(dy_quad(p0, n), vec4f(), vec4f(), vec4f());
    if (ROWS > LANES) { held[1] = dy_quad(p1, n); }
    if (ROWS > 2u * LANES) {
      held[2] = dy_quad(p2, n);
      held[3] = dy_quad(p3, n);
    }
    add_products(&tile, held, transpose(rows));
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
