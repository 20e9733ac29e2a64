// 1-D checkpoint data -> f32:  out[i] = f32(raw[raw_start + i])
//
//   raw  [raw_start + count]  raw  read   checkpoint bytes as u32 words
//   out  [count]              f32  write  the values; exact for every dtype
//
// One lane an element: norms, biases and position embeddings are small.

struct Params {
  count: u32,
  raw_start: u32,
}

@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(256)
fn widen(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * 256u + lid.x;
  if (i >= params.count) { return; }
  out[i] = raw_bits(params.raw_start + i);
}
