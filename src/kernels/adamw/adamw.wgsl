// One step of AdamW, in place:
//   w -= lr * decay * w
//   m += (1 - beta1) * (g - m),  v = beta2 * v + (1 - beta2) * g^2,  g = gradient * scale
//   w -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
//
//   gradient  [rows, C]       f32    read    dLoss/dweight, before clipping
//   clip      [1]             vec4f  read    norm, scale, 1 where all gradients are finite, 0; else nothing is changed
//   weight    [rows, stride]  f32    update  what lies behind C in a row is left alone
//   m         [rows, C]       f32    update  first moment
//   v         [rows, C]       f32    update  second moment
//
// A lane takes one Vec. What depends on the step alone comes from the host, where it is computed in float64.
// Limits: any sizes (the grid folds into y; Vec is vec4f where C and stride are multiples of 4).
// Source: Loshchilov & Hutter 2019, arXiv:1711.05101, in the order of torch.optim.AdamW.

override WG: u32 = 256u;

struct Params {
  count: u32,           // Vecs of the gradient
  cols: u32,            // Vecs a row: C / WIDTH
  stride: u32,          // Vecs from one row of the weight to the next
  keep: f32,            // 1 - lr * decay
  step_size: f32,       // lr / (1 - beta1^t)
  inverse_root2: f32,   // 1 / sqrt(1 - beta2^t)
  fresh1: f32,          // 1 - beta1
  beta2: f32,
  fresh2: f32,          // 1 - beta2
  eps: f32,
}

@group(0) @binding(0) var<storage, read> gradient: array<Vec>;
@group(0) @binding(1) var<storage, read> clip: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> weight: array<Vec>;
@group(0) @binding(3) var<storage, read_write> m: array<Vec>;
@group(0) @binding(4) var<storage, read_write> v: array<Vec>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn adamw(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lid: vec3u,
) {
  let i = (wid.y * groups.x + wid.x) * WG + lid.x;
  if (i >= params.count || clip[0].z != 1.0) { return; }
  let g = gradient[i] * clip[0].y;
  let first = m[i] + params.fresh1 * (g - m[i]);
  let second = params.beta2 * v[i] + params.fresh2 * g * g;
  m[i] = first;
  v[i] = second;
  let at = (i / params.cols) * params.stride + i % params.cols;
  weight[at] = weight[at] * params.keep - params.step_size * first / (sqrt(second) * params.inverse_root2 + params.eps);
}
