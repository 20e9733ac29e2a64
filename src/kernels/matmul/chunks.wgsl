// A 16-byte chunk of a weight's row as f32, whatever its dtype; layouts in src/kernels/weight.ts.
// Reads the bindings `w` (array<vec4u>) and `scales` (array<u32>) and the unpackers of wgsl/weights.wgsl.

const CHUNK = 4u;  // elements of 16 bytes: 4 f32, 8 f16 or bf16, 16 q8, 32 q4
const CHUNK4 = CHUNK / 4u;

/// Elements CHUNK * i to CHUNK * i + CHUNK - 1, counted from the weight part's start.
fn weight_chunk(i: u32) -> array<vec4f, CHUNK4> {
  var values: array<vec4f, CHUNK4>;
  let words = w[i];
  switch W_DTYPE {
    case W_F32: { values[0] = bitcast<vec4f>(words); }
    case W_F16: {
      for (var j = 0u; j < 2u; j++) {
        values[j % CHUNK4] = vec4f(unpack2x16float(words[2u * j]), unpack2x16float(words[2u * j + 1u]));
      }
    }
    case W_BF16: {
      for (var j = 0u; j < 2u; j++) {
        values[j % CHUNK4] = vec4f(unpack_bf16(words[2u * j]), unpack_bf16(words[2u * j + 1u]));
      }
    }
    case W_Q8: {
      let scale = bitcast<f32>(scales[i / 2u]);
      for (var j = 0u; j < 4u; j++) { values[j % CHUNK4] = unpack_q8(words[j]) * scale; }
    }
    default: {
      let affine = unpack2x16float(scales[i]);
      for (var j = 0u; j < 4u; j++) {
        values[(2u * j) % CHUNK4] = unpack_q4(words[j], false) * affine.x + affine.y;
        values[(2u * j + 1u) % CHUNK4] = unpack_q4(words[j], true) * affine.x + affine.y;
      }
    }
  }
  return values;
}
