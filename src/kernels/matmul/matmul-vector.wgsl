// y = activate(x W^T + bias) + residual, for up to BATCH rows of x: the form for decoding, bound by reading W once
//
//   x         [M, K4]       vec4f  read    rows padded with zeros to the weight's stride
//   w         [rows, ...]   vec4u  read    one part of the weight, any dtype
//   scales    [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   bias      [N]           f32    read    where HAS_BIAS
//   residual  [M, N]        f32    read    where HAS_RESIDUAL
//   y         [M, N]        f32    update  columns col_start to col_start + rows
//
// LANES lanes walk a row together, a 16-byte chunk each; every lane does ROWS rows at once, so that x is read once for
// all of them and several weight loads are in flight. The partial sums meet in workgroup memory after one barrier.

const LANES = 8u;   // lanes a weight row is spread over, a power of two
const ROWS = 4u;    // weight rows a lane does at once
const BATCH = 1u;   // rows of x done at once; rows past M repeat the last one and are not stored
const WG = 64u;     // lanes of the workgroup
const OUTPUTS = WG / LANES * ROWS;  // weight rows of a workgroup

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

var<workgroup> partial: array<f32, OUTPUTS * BATCH * LANES>;

@compute @workgroup_size(WG)
fn matmul_vector(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let first = params.n_start + (wid.y * groups.x + wid.x) * OUTPUTS;
  if (first >= params.rows) { return; }
  let lane = local % LANES;
  let team = local / LANES;

  let chunks = params.K4 * 4u / CHUNK;
  var row_at: array<u32, ROWS>;
  for (var r = 0u; r < ROWS; r++) {
    row_at[r] = min(first + team * ROWS + r, params.rows - 1u) * chunks;
  }
  var acc: array<f32, ROWS * BATCH>;
  for (var chunk = lane; chunk < chunks; chunk += LANES) {
    var xs: array<vec4f, BATCH * CHUNK4>;
    for (var b = 0u; b < BATCH; b++) {
      let from_x = min(params.m_start + b, params.M - 1u) * params.K4 + chunk * CHUNK4;
      for (var i = 0u; i < CHUNK4; i++) { xs[b * CHUNK4 + i] = x[from_x + i]; }
    }
    for (var r = 0u; r < ROWS; r++) {
      let ws = weight_chunk(row_at[r] + chunk);
      for (var b = 0u; b < BATCH; b++) {
        var sum = 0.0;
        for (var i = 0u; i < CHUNK4; i++) { sum += dot(xs[b * CHUNK4 + i], ws[i]); }
        acc[r * BATCH + b] += sum;
      }
    }
  }

  for (var i = 0u; i < ROWS * BATCH; i++) {
    partial[(team * ROWS * BATCH + i) * LANES + lane] = acc[i];
  }
  workgroupBarrier();
  for (var i = local; i < OUTPUTS * BATCH; i += WG) {
    var sum = 0.0;
    for (var l = 0u; l < LANES; l++) { sum += partial[i * LANES + l]; }
    let row = first + i / BATCH;
    let m = params.m_start + i % BATCH;
    if (row < params.rows && m < params.M) {
      let n = params.col_start + row;
      y[m * params.N + n] = epilogue(sum, m, n);
    }
  }
}
