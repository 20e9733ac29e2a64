// First half of a gated MLP over a row under its RMS norm:
//   y = f(rstd * (x * gain) Wgate^T) * (rstd * (x * gain) Wup^T),  rstd = 1 / sqrt(mean(x^2) + eps),  f by ACTIVATION
//
//   x            [1, K4]       vec4f  read    the row before its norm
//   gain         [K4]          vec4f  read    of the norm
//   gate         [rows, ...]   vec4u  read    one part of the gate's weight, any dtype
//   gate_scales  [rows, K/32]  u32    read    of q8 and q4; bound to anything for dense weights
//   up           [rows, ...]   vec4u  read    the same rows of the other weight
//   up_scales    [rows, K/32]  u32    read
//   y            [1, F]        f32    update  columns col_start to col_start + rows
//
// As norm-matmul.wgsl: a lane walks 4 weight rows together, 2 of the gate and the same 2 of up, so that both halves of an
// output meet in it.
// Limits: K a multiple of 32.

struct Params {
  K4: u32,         // vec4f in a row of x, a multiple of 8
  rows: u32,       // rows of this part of the weights
  col_start: u32,  // column of y that its first row makes
  n_start: u32,    // first weight row of this dispatch
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> gain: array<vec4f>;
@group(0) @binding(2) var<storage, read> gate: array<vec4u>;
@group(0) @binding(3) var<storage, read> gate_scales: array<u32>;
@group(0) @binding(4) var<storage, read> up: array<vec4u>;
@group(0) @binding(5) var<storage, read> up_scales: array<u32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gated_matmul(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = params.n_start + first_row(wid.x, local, 2u);
  let last = params.rows - 1u;
  let chunks = params.K4 / CHUNK4;
  let at0 = min(row, last) * chunks;
  let at1 = min(row + ROW_STEP, last) * chunks;

  var sums: array<vec4f, QUADS>;  // two gates and two ups, squares
  for (var step = first_step(local); step * STEP_CHUNKS < chunks; step = next_step(step)) {
    take_step(step, local);
    for (var i = 0u; i < STEP_CHUNKS; i++) {
      let chunk = step * STEP_CHUNKS + i;
      let words = vec4u(
        gate_scales[block_of(at0 + chunk)],
        gate_scales[block_of(at1 + chunk)],
        up_scales[block_of(at0 + chunk)],
        up_scales[block_of(at1 + chunk)],
      );
      let products =
        chunk_products(chunk, gate[at0 + chunk], gate[at1 + chunk], up[at0 + chunk], up[at1 + chunk], words);
      sums[0] += products;
    }
  }
  sums[1] = squares;
  lanes_sum(local, &sums);
  let rstd = rstd_of(sums[1]);
  for (var r = 0u; r < 2u; r++) {
    let n = row + r * ROW_STEP;
    if (stores(local, r) && n < params.rows) {
      y[params.col_start + n] = activate(sums[0][r] * rstd) * (sums[0][r + 2u] * rstd);
    }
  }
}
