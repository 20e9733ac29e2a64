// y = a chain of multiply-adds on registers: the adapter's arithmetic limit
//
//   binding  shape    type        role
//   y        [W]      f32         written, so that nothing is left out as unused
//
// Strategy: eight independent vec4 chains a thread, so that latency hides; no memory in the loop.
// Limits: W = invocations of the dispatch.

override WG: u32 = 64;
alias Elem = f32;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;

struct Params {
  steps: u32,
  factor: f32,
}
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let m = vec4<Elem>(Elem(params.factor));
  let s = vec4<Elem>(Elem(f32(gid.x % 7u) * 0.001));
  var a = s;
  var b = s + m;
  var c = s - m;
  var d = s * m;
  var e = a + d;
  var f = b + d;
  var g = c + d;
  var h = d + d;
  for (var i = 0u; i < params.steps; i++) {
    a = fma(a, m, s);
    b = fma(b, m, s);
    c = fma(c, m, s);
    d = fma(d, m, s);
    e = fma(e, m, s);
    f = fma(f, m, s);
    g = fma(g, m, s);
    h = fma(h, m, s);
  }
  y[gid.x] = f32(dot(a + b + c + d + e + f + g + h, vec4<Elem>(Elem(1.0))));
}
