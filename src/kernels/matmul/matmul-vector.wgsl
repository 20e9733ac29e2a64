// y = activate(x W^T + bias) + residual, for one row of x: the form for decoding, bound by reading W once
//
//   x         [1, K4]       vec4f  read    padded with zeros to the weight's stride
//   w         [rows, ...]   vec4u  read    one part of the weight, any dtype
//   scales    [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   bias      [N]           f32    read    where HAS_BIAS
//   residual  [1, N]        f32    read    where HAS_RESIDUAL
//   y         [1, N]        f32    update  columns col_start to col_start + rows
//
// LANES lanes walk 4 weight rows together, a 16-byte chunk of each at a time, so that x is read once for the 4 and
// several loads are in flight. Quantised chunks are summed as they are; scale and min are applied once a block. The
// lanes' sums meet in workgroup memory after the only barrier, added in a fixed order.

const LANES = 8u;  // lanes a weight row is spread over, a power of two
const WG = 64u;    // lanes of the workgroup
const OUTPUTS = WG / LANES * 4u;  // weight rows of a workgroup

struct Params {
  M: u32,
  N: u32,          // columns of y
  K4: u32,         // vec4f in a row of x, a multiple of 8
  rows: u32,       // rows of this part of the weight
  col_start: u32,  // column of y that its first row makes
  m_start: u32,    // first row of x of this dispatch
  n_start: u32,    // first weight row of this dispatch
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> w: array<vec4u>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

var<workgroup> partial: array<vec4f, WG>;

@compute @workgroup_size(WG)
fn matmul_vector(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) local: u32) {
  let first = params.n_start + wid.x * OUTPUTS;
  let lane = local % LANES;
  let row = first + local / LANES * 4u;
  let last = params.rows - 1u;
  let chunks = params.K4 / CHUNK4;
  let at0 = min(row, last) * chunks;
  let at1 = min(row + 1u, last) * chunks;
  let at2 = min(row + 2u, last) * chunks;
  let at3 = min(row + 3u, last) * chunks;

  var acc = vec4f();
  for (var chunk = lane; chunk < chunks; chunk += LANES) {
    let w0 = w[at0 + chunk];
    let w1 = w[at1 + chunk];
    let w2 = w[at2 + chunk];
    let w3 = w[at3 + chunk];
    var sums = vec4f();
    var x_sum = vec4f();
    for (var i = 0u; i < CHUNK4; i++) {
      let a = x[chunk * CHUNK4 + i];
      sums += a * mat4x4f(unscaled(w0, i), unscaled(w1, i), unscaled(w2, i), unscaled(w3, i));
      x_sum += a;
    }
    if (W_DTYPE == W_Q4 || W_DTYPE == W_Q8) {
      let s0 = affine_of(at0 + chunk);
      let s1 = affine_of(at1 + chunk);
      let s2 = affine_of(at2 + chunk);
      let s3 = affine_of(at3 + chunk);
      acc += vec4f(s0.x, s1.x, s2.x, s3.x) * sums + vec4f(s0.y, s1.y, s2.y, s3.y) * dot(x_sum, vec4f(1.0));
    } else {
      acc += sums;
    }
  }

  partial[local] = acc;
  workgroupBarrier();
  if (local < OUTPUTS && first + local < params.rows) {
    var sum = 0.0;
    for (var l = 0u; l < LANES; l++) { sum += partial[local / 4u * LANES + l][local % 4u]; }
    let n = params.col_start + first + local;
    y[n] = epilogue(sum, 0u, n);
  }
}
