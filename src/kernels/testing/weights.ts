import type { Encoder } from '../gpu/encoder'
import { packRows, unpackRows } from '../pack/pack'
import { asWords, emptyWeight, rawBytes } from '../pack/pack.testing'
import type { Tensor } from '../tensor'
import { destroyWeight, type Weight, type WeightDtype } from '../weight'
import { onGpu, testGpu } from './gpu'
import type { Shaped } from './numbers'

type Held<W> = { [name in keyof W as `held_${name & string}`]: Float32Array }

/**
 * Runs a recording with weights of these values [rows, cols] in a dtype, split every `partRows` rows where that is given.
 *
 * Returns: the outputs, and as `held_<name>` what each weight decodes to.
 */
export async function withWeights<
  const W extends Record<string, Shaped>,
  I extends Record<string, Shaped>,
  O extends Record<string, Tensor>,
>(
  values: W,
  { dtype, partRows }: { dtype: WeightDtype; partRows?: number },
  inputs: I,
  record: (enc: Encoder, weights: { [name in keyof W]: Weight }, tensors: { [name in keyof I]: Tensor }) => O,
): Promise<{ [name in keyof O]: Float32Array } & Held<W>> {
  const gpu = await testGpu()
  const from = dtype === 'bf16' ? 'bf16' : 'f32'
  const weights: Record<string, Weight> = {}
  const raw: Record<string, Shaped> = {}
  for (const [name, { shape }] of Object.entries(values)) {
    weights[name] = emptyWeight(gpu, shape[0]!, shape[1]!, dtype, partRows)
    raw[`raw_${name}`] = rawBytes(values[name]!, from)
  }
  try {
    return (await onGpu<Record<string, Shaped>, Record<string, Tensor>>(
      { ...inputs, ...raw },
      (enc, tensors) => {
        const outputs: Record<string, Tensor> = {}
        for (const [name, weight] of Object.entries(weights)) {
          const words = asWords(tensors[`raw_${name}`]!)
          packRows(enc, weight, words, { rowStart: 0, rows: weight.rows, dtype: from })
          outputs[`held_${name}`] = unpackRows(enc, weight)
        }
        const recorded = record(
          enc,
          weights as { [name in keyof W]: Weight },
          tensors as { [name in keyof I]: Tensor },
        )
        return { ...recorded, ...outputs }
      },
    )) as { [name in keyof O]: Float32Array } & Held<W>
  } finally {
    for (const weight of Object.values(weights)) destroyWeight(gpu, weight)
  }
}
