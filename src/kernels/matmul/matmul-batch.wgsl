// y = activate(x W^T + bias) + residual, for 2 to BATCH rows of x: short prompts, bound by reading W once
//
//   x         [M, K4]       vec4f  read    rows padded with zeros to the weight's stride
//   w         [rows, ...]   vec4u  read    one part of the weight, any dtype
//   scales    [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   bias      [N]           f32    read    where HAS_BIAS
//   residual  [M, N]        f32    read    where HAS_RESIDUAL
//   y         [M, N]        f32    update  columns col_start to col_start + rows
//
// As matmul-vector.wgsl: LANES lanes walk 4 weight rows together, a 16-byte chunk of each at a time. Each decoded
// element serves all rows of x.

const LANES = 8u;  // lanes a weight row is spread over, a power of two
const BATCH = 2u;  // rows of x; those past M repeat the last one and are not stored
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

var<workgroup> partial: array<vec4f, WG * BATCH>;

@compute @workgroup_size(WG)
fn matmul_batch(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) local: u32) {
  let first = params.n_start + wid.x * OUTPUTS;
  let lane = local % LANES;
  let row = first + local / LANES * 4u;
  let last = params.rows - 1u;
  let chunks = params.K4 / CHUNK4;
  let at0 = min(row, last) * chunks;
  let at1 = min(row + 1u, last) * chunks;
  let at2 = min(row + 2u, last) * chunks;
  let at3 = min(row + 3u, last) * chunks;

  var acc: array<vec4f, BATCH>;
  for (var chunk = lane; chunk < chunks; chunk += LANES) {
    let w0 = w[at0 + chunk];
    let w1 = w[at1 + chunk];
    let w2 = w[at2 + chunk];
    let w3 = w[at3 + chunk];
    let s0 = affine(scales[block_of(at0 + chunk)]);
    let s1 = affine(scales[block_of(at1 + chunk)]);
    let s2 = affine(scales[block_of(at2 + chunk)]);
    let s3 = affine(scales[block_of(at3 + chunk)]);
    for (var i = 0u; i < CHUNK4; i++) {
      let columns = mat4x4f(
        unscaled(w0, i) * s0.x + s0.y,
        unscaled(w1, i) * s1.x + s1.y,
        unscaled(w2, i) * s2.x + s2.y,
        unscaled(w3, i) * s3.x + s3.y,
      );
      for (var b = 0u; b < BATCH; b++) {
        let m = min(b, params.M - 1u);
        acc[b] += x[m * params.K4 + chunk * CHUNK4 + i] * columns;
      }
    }
  }

  for (var b = 0u; b < BATCH; b++) { partial[b * WG + local] = acc[b]; }
  workgroupBarrier();
  for (var i = local; i < OUTPUTS * BATCH; i += WG) {
    let m = i / OUTPUTS;
    let o = i % OUTPUTS;
    if (m < params.M && first + o < params.rows) {
      var sum = 0.0;
      for (var l = 0u; l < LANES; l++) { sum += partial[m * WG + o / 4u * LANES + l][o % 4u]; }
      let n = params.col_start + first + o;
      y[m * params.N + n] = epilogue(sum, m, n);
    }
  }
}
