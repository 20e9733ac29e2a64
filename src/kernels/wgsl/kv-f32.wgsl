// Keys and values held as f32: four neighbours are a vec4f. Same names as kv-f16.wgsl.

alias KvWords = vec4f;

fn widen(words: KvWords) -> vec4f {
  return words;
}

fn narrow(values: vec4f) -> KvWords {
  return values;
}
