import { describe, expect, test } from 'vitest'
import type { Activation } from '../activation-kinds'
import { activationBackwardRef, activationRef } from '../activation/activation.ref'
import type { Gpu } from '../gpu/device'
import { packRows, unpackRows } from '../pack/pack'
import { asWords, destroyWeights, rawBytes } from '../pack/pack.testing'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded } from '../testing/numbers'
import { createWeight, type WeightDtype } from '../weight'
import { mlpProjector, mlpProjectorFits } from './mlp-projector'
import { mlpProjectorCases } from './mlp-projector.cases'
import { mlpProjectorRef, type ScalarFunction } from './mlp-projector.ref'

/** SwiftShader takes seconds to compile each; another adapter tries the rest. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'
const DTYPES = ['f32', 'q4', ...(isSlow ? [] : (['f16', 'bf16', 'q8'] as const))] as const
const ACTIVATIONS = ['silu', ...(isSlow ? [] : (['none', 'gelu_tanh', 'quick_gelu'] as const))] as const

const scalar = (kind: Activation): ScalarFunction => ({
  value: (x) => activationRef([x], kind)[0]!,
  slope: (x) => activationBackwardRef([1], [x], kind)[0]!,
})

interface Sizes {
  R: number
  Cv: number
  F: number
  C: number
}

/**
 * Runs the kernel on weights of a dtype; the oracle gets the values those weights hold. Two matmuls are faster on CPU adapters
 * with subgroups, so these are hidden.
 */
async function projected(
  { R, Cv, F, C }: Sizes,
  { dtype = 'f32', activation = 'gelu', biases = true, caps = {} }: Options = {},
) {
  const opened = await testGpu()
  const before = { ...opened.caps }
  Object.assign(opened.caps, { subgroups: undefined, ...caps })
  const data = seeded({ x: [R, Cv], w1: [F, Cv], b1: [F], w2: [C, F], b2: [C] })
  const from = dtype === 'bf16' ? 'bf16' : 'f32'
  const w1 = createWeight(opened, 'w1', F, Cv, dtype)
  const w2 = createWeight(opened, 'w2', C, F, dtype)
  const inputs = { ...data, raw1: rawBytes(data.w1, from), raw2: rawBytes(data.w2, from) }
  try {
    const got = await onGpu(inputs, (enc, t) => {
      const all = { rowStart: 0, dtype: from } as const
      packRows(enc, w1, asWords(t.raw1), { ...all, rows: F })
      packRows(enc, w2, asWords(t.raw2), { ...all, rows: C })
      const y = mlpProjector(
        enc,
        t.x,
        w1,
        biases ? t.b1 : undefined,
        w2,
        biases ? t.b2 : undefined,
        activation,
      )
      expect(y !== undefined).toBe(mlpProjectorFits(enc.gpu, w1, w2))
      if (!y) throw new Error('did not fit')
      return { y, w1: unpackRows(enc, w1), w2: unpackRows(enc, w2) }
    })
    const zeros = { b1: new Float64Array(F), b2: new Float64Array(C) }
    const want = mlpProjectorRef(data.x, {
      ...(biases ? { b1: data.b1, b2: data.b2 } : zeros),
      w1: got.w1,
      w2: got.w2,
      act: scalar(activation),
    })
    return { y: got.y, want }
  } finally {
    Object.assign(opened.caps, before)
    destroyWeights(opened, [w1, w2])
  }
}

interface Options {
  dtype?: WeightDtype
  activation?: Activation
  biases?: boolean
  caps?: Partial<Gpu['caps']>
}

describe('mlp-projector', () => {
  describe.each(DTYPES)('%s weights', (dtype) => {
    test.each(mlpProjectorCases)('match the oracle for [$R, $Cv] -> $F -> $C', async (sizes) => {
      const { y, want } = await projected(sizes, { dtype })
      expect(y).toBeClose(want)
    })
  })

  test.each(ACTIVATIONS)('applies %s', async (activation) => {
    const { y, want } = await projected({ R: 10, Cv: 40, F: 70, C: 50 }, { activation, biases: false })
    expect(y).toBeClose(want)
  })

  test('splits what would keep the device busy too long', async () => {
    const caps = { maxDispatchFlops: 70_000 }
    const { y, want } = await projected({ R: 50, Cv: 32, F: 32, C: 32 }, { caps })
    expect(y).toBeClose(want)
  })

  test('leaves what does not fit, or is faster so, to two matmuls', async () => {
    await expect(projected({ R: 3, Cv: 32, F: 513, C: 8 })).rejects.toThrow('did not fit')
    const caps = { isSoftware: true, subgroups: { min: 8, max: 8 } }
    await expect(projected({ R: 3, Cv: 32, F: 32, C: 8 }, { caps })).rejects.toThrow('did not fit')
  })

  test('refuses weights that do not follow one another', async () => {
    const gpu = await testGpu()
    const w1 = createWeight(gpu, 'w1', 6, 5, 'f32')
    const w2 = createWeight(gpu, 'w2', 4, 7, 'f32')
    const { x } = seeded({ x: [2, 5] })
    const run = onGpu({ x }, (enc, t) => ({
      y: mlpProjector(enc, t.x, w1, undefined, w2, undefined, 'gelu')!,
    }))
    await expect(run).rejects.toThrow('mlp-projector: w2 should be [4, 6], as w1 has 6 rows, but is [4, 7]')
    destroyWeights(gpu, [w1, w2])
  })
})
