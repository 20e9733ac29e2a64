// Keys and values held as f16, two to a word; core WGSL, no shader-f16 needed. Same names as kv-f32.wgsl.

alias KvWords = vec2u;

fn widen(words: KvWords) -> vec4f {
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}

/// Values beyond f16 saturate: packing them is undefined in WGSL.
fn narrow(values: vec4f) -> KvWords {
  let bounded = clamp(values, vec4f(-65504.0), vec4f(65504.0));
  return vec2u(pack2x16float(bounded.xy), pack2x16float(bounded.zw));
}
