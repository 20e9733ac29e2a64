// Depthwise convolution of channel-last maps, stride 1, zero padding P = (K - 1) / 2:
//   y[b, i, j, c] = bias[c] + sum over u, v < K of x[b, i + u - P, j + v - P, c] * taps[u, v, c]
//
//   x     [B*H*W, C]  f32  read   maps, row by row
//   taps  [K*K, C]    f32  read   the weight, channels last (depthwise-conv-taps.wgsl)
//   bias  [C]         f32  read   offset; taps again where there is none
//   y     [B*H*W, C]  f32  write  maps of the same size
//
// A lane makes four neighbours of a row for one Vec of channels: the four inputs under a tap move through registers, so
// that a step of the kernel row loads one input and one tap. Neighbouring lanes take neighbouring channels.
// Limits: any sizes (the host cuts lanes into dispatches, the grid folds into y); K odd.

override WG: u32 = 64u;
override HAS_BIAS: bool = false;
override K: u32 = 7u;  // side of the kernel

const TILE = 4u;  // outputs of a lane

struct Params {
  start: u32,   // first lane of this dispatch
  end: u32,     // one past its last lane
  cols: u32,    // Vecs a row: C / WIDTH
  height: u32,
  width: u32,
  strips: u32,  // strips of TILE outputs a map row: ceil(width / TILE)
  kernel: u32,  // K, unknown to compilers: unrolling the rows too takes them seconds
}

@group(0) @binding(0) var<storage, read> x: array<Vec>;
@group(0) @binding(1) var<storage, read> taps: array<Vec>;
@group(0) @binding(2) var<storage, read> bias: array<Vec>;
@group(0) @binding(3) var<storage, read_write> y: array<Vec>;
@group(0) @binding(4) var<uniform> params: Params;

/// The input at a column of the map row that begins at pixel `start`; zero outside, left of it too (it wraps around).
fn input(start: u32, column: u32, c: u32) -> Vec {
  let value = x[(start + min(column, params.width - 1u)) * params.cols + c];
  return select(Vec(0.0), value, column < params.width);
}

@compute @workgroup_size(WG)
fn depthwise_conv(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let index = params.start + (wid.y * groups.x + wid.x) * WG + lid.x;
  if (index >= params.end) { return; }
  let c = index % params.cols;
  let strip = index / params.cols;
  let left = strip % params.strips * TILE;
  let row = strip / params.strips;  // over all maps
  let i = row % params.height;
  let top = row - i;                // first row of this map
  let pad = K / 2u;

  var sum0 = Vec(0.0);
  if (HAS_BIAS) { sum0 = bias[c]; }
  var sum1 = sum0;
  var sum2 = sum0;
  var sum3 = sum0;
  for (var u = 0u; u < params.kernel; u++) {
    let above = i + u - pad;
    if (above >= params.height) { continue; }  // above the map it wraps around
    let start = (top + above) * params.width;
    let column = left - pad;
    var in0 = input(start, column, c);
    var in1 = input(start, column + 1u, c);
    var in2 = input(start, column + 2u, c);
    for (var v = 0u; v < K; v++) {
      let in3 = input(start, column + v + 3u, c);
      let tap = taps[(u * K + v) * params.cols + c];
      sum0 += in0 * tap;
      sum1 += in1 * tap;
      sum2 += in2 * tap;
      sum3 += in3 * tap;
      in0 = in1;
      in1 = in2;
      in2 = in3;
    }
  }
  let at = (row * params.width + left) * params.cols + c;
  y[at] = sum0;
  if (left + 1u < params.width) { y[at + params.cols] = sum1; }
  if (left + 2u < params.width) { y[at + 2u * params.cols] = sum2; }
  if (left + 3u < params.width) { y[at + 3u * params.cols] = sum3; }
}
