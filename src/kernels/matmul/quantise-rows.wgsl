// Rows of x as signed bytes, in blocks of 32:  scale = max|x| / 127,  q = round(x / scale)
//
//   x       [quads]           vec4f  read   rows of whole blocks, padded with zeros
//   blocks  [quads / 8, 12]   u32    write  8 words of four bytes, the first lowest; then the bits of scale and of
//                                           scale * sum of q, both f32; the last two words are left as they are
//
// 8 lanes a block, 4 elements each; what a block shares meets in workgroup memory.

struct Params {
  quads: u32,  // vec4f of x, a multiple of 8
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> blocks: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> largest: array<f32, 256>;
var<workgroup> sums: array<i32, 256>;

@compute @workgroup_size(256)
fn quantise_rows(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let quad = (wid.y * groups.x + wid.x) * 256u + lane;
  var values = vec4f();
  if (quad < params.quads) { values = x[quad]; }
  let sizes = abs(values);
  largest[lane] = max(max(sizes.x, sizes.y), max(sizes.z, sizes.w));
  workgroupBarrier();

  let first = lane & ~7u;
  var top = 0.0;
  for (var l = 0u; l < 8u; l++) { top = max(top, largest[first + l]); }
  // Below the smallest normal number over 127, a quotient would not be trustworthy; such rows are zeros.
  let is_normal = top > 1e-35;
  let inverse = select(0.0, 127.0 / top, is_normal);
  let q = vec4i(round(values * inverse));
  sums[lane] = q.x + q.y + q.z + q.w;
  workgroupBarrier();

  if (quad >= params.quads) { return; }
  let to = quad / 8u * 12u;
  blocks[to + quad % 8u] = pack4xI8(q);
  if (lane == first) {
    var sum = 0;
    for (var l = 0u; l < 8u; l++) { sum += sums[first + l]; }
    let scale = select(0.0, top / 127.0, is_normal);
    blocks[to + 8u] = bitcast<u32>(scale);
    blocks[to + 9u] = bitcast<u32>(scale * f32(sum));
  }
}
