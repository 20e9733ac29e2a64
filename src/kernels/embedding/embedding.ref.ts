import { BLOCK, ELEMENTS_PER_WORD, type WeightDtype } from '../weight'

/** Oracle: rows of a [V, C] table; ids outside give zeros. */
export function embeddingRef(
  ids: ArrayLike<number>,
  table: ArrayLike<number>,
  C: number,
  scale = 1,
): Float64Array {
  const y = new Float64Array(ids.length * C)
  for (let t = 0; t < ids.length; t++) {
    if ((ids[t]! + 1) * C > table.length) continue
    for (let c = 0; c < C; c++) y[t * C + c] = scale * table[ids[t]! * C + c]!
  }
  return y
}

/** Oracle of the weight layouts (kernels/weight.ts): the [rows, cols] values that packed words stand for. */
export function unpackTableRef(
  dtype: WeightDtype,
  data: Uint32Array,
  scales: Uint32Array,
  rows: number,
  cols: number,
): Float64Array {
  const stride = Math.ceil(cols / BLOCK) * BLOCK
  const perWord = ELEMENTS_PER_WORD[dtype]
  const bits = 32 / perWord
  const values = new Float64Array(rows * cols)
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const at = r * stride + c
      const code = Math.floor(data[Math.floor(at / perWord)]! / 2 ** (bits * (at % perWord))) % 2 ** bits
      const block = scales[Math.floor(at / BLOCK)] ?? 0
      values[r * cols + c] = decode(dtype, code, block)
    }
  }
  return values
}

function decode(dtype: WeightDtype, code: number, block: number): number {
  if (dtype === 'f32') return floatOf(code)
  if (dtype === 'bf16') return floatOf(code * 65536)
  if (dtype === 'f16') return halfOf(code)
  if (dtype === 'q8') return (code < 128 ? code : code - 256) * floatOf(block)
  return code * halfOf(block % 65536) + halfOf(Math.floor(block / 65536))
}

function floatOf(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0]!
}

/** Normal numbers and zero only; test tables hold no others. */
function halfOf(bits: number): number {
  const exponent = Math.floor(bits / 1024) % 32
  const sign = bits >= 32768 ? -1 : 1
  return exponent === 0 ? 0 : sign * 2 ** (exponent - 15) * (1 + (bits % 1024) / 1024)
}
