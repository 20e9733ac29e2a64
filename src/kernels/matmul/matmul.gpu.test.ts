import { describe, expect, test } from 'vitest'
import { packRows, unpackRows } from '../pack/pack'
import { asWords, emptyWeight, rawBytes } from '../pack/pack.testing'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded, type Shaped } from '../testing/numbers'
import type { Encoder } from '../gpu/encoder'
import type { Tensor } from '../tensor'
import { destroyWeight, type Weight, type WeightDtype } from '../weight'
import { matmul } from './matmul'
import { matmulCases } from './matmul.cases'
import { matmulRef } from './matmul.ref'

const dtypes = ['f32', 'f16', 'bf16', 'q8', 'q4'] as const

/** Runs a recording with a weight of these values; `held` is what the weight decodes to. */
async function withWeight<I extends Record<string, Shaped>, O extends Record<string, Tensor>>(
  values: Shaped,
  { dtype, partRows }: { dtype: WeightDtype; partRows?: number },
  inputs: I,
  record: (enc: Encoder, w: Weight, tensors: { [name in keyof I]: Tensor }) => O,
) {
  const gpu = await testGpu()
  const [rows = 0, cols = 0] = values.shape
  const weight = emptyWeight(gpu, rows, cols, dtype, partRows)
  const from = dtype === 'bf16' ? 'bf16' : 'f32'
  try {
    return await onGpu({ ...inputs, raw: rawBytes(values, from) }, (enc, tensors) => {
      packRows(enc, weight, asWords(tensors.raw), { rowStart: 0, rows, dtype: from })
      return { ...record(enc, weight, tensors), held: unpackRows(enc, weight) }
    })
  } finally {
    destroyWeight(gpu, weight)
  }
}

describe('matmul', () => {
  describe.each(dtypes)('%s', (dtype) => {
    test.each(matmulCases)('matches the oracle for [$M, $K] x [$N, $K]', async ({ M, N, K }) => {
      const { x, w } = seeded({ x: [M, K], w: [N, K] })
      const { y, held } = await withWeight(w, { dtype }, { x }, (enc, w, t) => ({ y: matmul(enc, t.x, w) }))
      expect(y).toBeClose(matmulRef(x, held, K))
    })

    test.each([1, 5, 70])('reads a weight in several parts, %i rows of x', async (M) => {
      const { x, w, bias, residual } = seeded({ x: [M, 90], w: [200, 90], bias: [200], residual: [M, 200] })
      const weight = { dtype, partRows: 64 }
      const { y, held } = await withWeight(w, weight, { x, bias, residual }, (enc, w, t) => {
        expect(w.parts.length).toBe(4)
        return { y: matmul(enc, t.x, w, { bias: t.bias, residual: t.residual }) }
      })
      expect(y).toBeClose(matmulRef(x, held, 90, { bias, residual }))
    })
  })

  describe.each(['none', 'gelu', 'gelu_tanh', 'quick_gelu', 'silu'] as const)('%s', (activation) => {
    test.each([2, 19])('after the bias and before the residual, %i rows of x', async (M) => {
      const { x, w, bias, residual } = seeded({ x: [M, 7], w: [45, 7], bias: [45], residual: [M, 45] })
      const { y, plain, held } = await withWeight(
        w,
        { dtype: 'f32' },
        { x, bias, residual },
        (enc, w, t) => ({
          y: matmul(enc, t.x, w, { bias: t.bias, activation, residual: t.residual }),
          plain: matmul(enc, t.x, w, { activation }),
        }),
      )
      expect(y).toBeClose(matmulRef(x, held, 7, { bias, activation, residual }))
      expect(plain).toBeClose(matmulRef(x, held, 7, { activation }))
    })

    test.each([1, 16])('takes arguments from -1e4 to 1e4, %i rows of x', async (M) => {
      const scale = Float32Array.from(
        { length: 401 },
        (_, i) => Math.sign(i - 200) * 10 ** (Math.abs(i - 200) / 25 - 4),
      )
      const w = Object.assign(scale, { shape: [401, 1] })
      const x = Object.assign(new Float32Array(M).fill(1), { shape: [M, 1] })
      const { y } = await withWeight(w, { dtype: 'f32' }, { x }, (enc, w, t) => ({
        y: matmul(enc, t.x, w, { activation }),
      }))
      const want = matmulRef(x, w, 1, { activation })
      for (let i = 0; i < want.length; i++) {
        expect(Math.abs(y[i]! - want[i]!)).toBeLessThanOrEqual(1e-6 + 1e-6 * Math.abs(want[i]!))
      }
    })
  })

  test('cuts a product into dispatches below the device limit', async () => {
    const gpu = await testGpu()
    const { x, w } = seeded({ x: [150, 64], w: [200, 64] })
    const limit = gpu.caps.maxDispatchFlops
    const caps = gpu.caps as { maxDispatchFlops: number }
    try {
      for (const M of [1, 150]) {
        caps.maxDispatchFlops = 2 * 64 * 64 * 64 * 2
        const rows = Object.assign(x.slice(0, M * 64), { shape: [M, 64] })
        const { y, held } = await withWeight(w, { dtype: 'q4' }, { x: rows }, (enc, w, t) => {
          if (M === 1) caps.maxDispatchFlops = 2 * 64 * 64
          const before = enc.dispatches
          const y = matmul(enc, t.x, w)
          expect(enc.dispatches - before).toBeGreaterThan(3)
          return { y }
        })
        expect(y).toBeClose(matmulRef(rows, held, 64))
      }
    } finally {
      caps.maxDispatchFlops = limit
    }
  })

  test('takes x of any rank and refuses shapes that do not fit', async () => {
    const { x, w, bias } = seeded({ x: [2, 3, 8], w: [5, 8], bias: [4] })
    const run = (record: (enc: Encoder, w: Weight, t: { x: Tensor; bias: Tensor }) => Tensor) =>
      withWeight(w, { dtype: 'f32' }, { x, bias }, (enc, w, t) => ({ y: record(enc, w, t) }))
    const { y } = await run((enc, w, t) => {
      const y = matmul(enc, t.x, w)
      expect(y.shape).toEqual([2, 3, 5])
      return y
    })
    expect(y).toBeClose(matmulRef(x, w, 8))
    await expect(run((enc, w, t) => matmul(enc, t.bias, w))).rejects.toThrow(
      'matmul: x should be f32 [..., 8] for w [5, 8] but is f32 [4]',
    )
    await expect(run((enc, w, t) => matmul(enc, t.x, w, { bias: t.bias }))).rejects.toThrow(
      'matmul: bias of w should be [5] but is [4]',
    )
    await expect(run((enc, w, t) => matmul(enc, t.x, w, { residual: t.x }))).rejects.toThrow(
      'matmul: residual of w should be [2, 3, 5] but is [2, 3, 8]',
    )
  })
})
