// y = activate(x W^T + bias) + residual, for one row of x: the form for decoding, bound by reading W once
//
//   x         [1, K4]       vec4f  read    padded with zeros to the weight's stride
//   w         [rows, ...]   vec4u  read    one part of the weight, any dtype
//   scales    [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   bias      [N]           f32    read    where HAS_BIAS
//   residual  [1, N]        f32    read    where HAS_RESIDUAL
//   y         [1, N]        f32    update  columns col_start to col_start + rows
//
// A lane walks 4 weight rows together, a 16-byte chunk of each at a time (wgsl/chunk-products.wgsl): on GPUs a share of
// their chunks (wgsl/walk-lanes.wgsl), sums meeting at the end in a fixed order, on CPU adapters with subgroups all of
// them (wgsl/walk-rows.wgsl).

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

fn row_at(i: u32) -> vec4f {
  return x[i];
}

@compute @workgroup_size(WG)
fn matmul_vector(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = params.n_start + first_row(wid.x, local, 4u);
  let last = params.rows - 1u;
  let chunks = params.K4 / CHUNK4;
  let at0 = min(row, last) * chunks;
  let at1 = min(row + ROW_STEP, last) * chunks;
  let at2 = min(row + 2u * ROW_STEP, last) * chunks;
  let at3 = min(row + 3u * ROW_STEP, last) * chunks;

  var sums: array<vec4f, QUADS>;
  for (var step = first_step(local); step * STEP_CHUNKS < chunks; step = next_step(step)) {
    take_step(step, local);
    for (var i = 0u; i < STEP_CHUNKS; i++) {
      let chunk = step * STEP_CHUNKS + i;
      let words = vec4u(
        scales[block_of(at0 + chunk)],
        scales[block_of(at1 + chunk)],
        scales[block_of(at2 + chunk)],
        scales[block_of(at3 + chunk)],
      );
      sums[0] += chunk_products(chunk, w[at0 + chunk], w[at1 + chunk], w[at2 + chunk], w[at3 + chunk], words);
    }
  }
  lanes_sum(local, &sums);
  for (var r = 0u; r < 4u; r++) {
    let from_row = row + r * ROW_STEP;
    if (stores(local, r) && from_row < params.rows) {
      let n = params.col_start + from_row;
      y[n] = epilogue(sums[0][r], 0u, n);
    }
  }
}
