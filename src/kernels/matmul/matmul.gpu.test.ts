import { describe, expect, test } from 'vitest'
import { packRows, unpackRows } from '../pack/pack'
import { asWords, emptyWeight, rawBytes } from '../pack/pack.testing'
import { withCaps } from '../testing/caps'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded, shaped, type Shaped } from '../testing/numbers'
import type { Encoder } from '../gpu/encoder'
import type { Tensor } from '../tensor'
import { destroyWeight, weightRows, type Weight, type WeightDtype } from '../weight'
import { matmul } from './matmul'
import { matmulBackward, matmulWeightBackward } from './matmul-backward'
import { gradientCases, hardwareCases, matmulCases } from './matmul.cases'
import { matmulBackwardRef, matmulRef, matmulWeightBackwardRef } from './matmul.ref'

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

const product = async (dtype: WeightDtype, { M, N, K }: { M: number; N: number; K: number }) => {
  const { x, w } = seeded({ x: [M, K], w: [N, K] })
  const { y, held } = await withWeight(w, { dtype }, { x }, (enc, w, t) => ({ y: matmul(enc, t.x, w) }))
  expect(y).toBeClose(matmulRef(x, held, K))
}

/** What is compared does not depend on the adapter. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

describe('matmul', () => {
  describe.each(dtypes)('%s', (dtype) => {
    test.each(matmulCases)('matches the oracle for [$M, $K] x [$N, $K]', (size) => product(dtype, size))

    // The forms differ in dtype by one shared function each: two dtypes take every size, the others a few.
    const some =
      (dtype === 'f16' || dtype === 'q4') && !isSlow
        ? hardwareCases
        : hardwareCases.filter(({ K }) => K === 588 || K === 897)
    test.each(some)('matches it in the form for GPUs for [$M, $K] x [$N, $K]', (size) =>
      withCaps({ isSoftware: false }, () => product(dtype, size)),
    )

    // Some sizes stand for all: no other form reads x and weights as this one does.
    test.each(some)('matches it on a CPU adapter without subgroups for [$M, $K] x [$N, $K]', (size) =>
      withCaps({ isSoftware: true, subgroups: undefined }, () => product(dtype, size)),
    )

    test.each([1, 5, 70])('reads a weight in several parts, %i rows of x', async (M) => {
      const { x, w, bias, residual } = seeded({ x: [M, 90], w: [200, 90], bias: [200], residual: [M, 200] })
      const weight = { dtype, partRows: 64 }
      const { y, held } = await withWeight(w, weight, { x, bias, residual }, (enc, w, t) => {
        expect(w.parts.length).toBe(4)
        return { y: matmul(enc, t.x, w, { bias: t.bias, residual: t.residual }) }
      })
      expect(y).toBeClose(matmulRef(x, held, 90, { bias, residual }))
    })

    test.each(some === hardwareCases ? [true, false] : [true])(
      'reads some rows where they lie, software %s',
      (isSoftware) =>
        withCaps({ isSoftware }, async () => {
          const { one, few, many, w } = seeded({ one: [1, 90], few: [5, 90], many: [40, 90], w: [330, 90] })
          const weight = { dtype, partRows: 128 }
          const { held, ...got } = await withWeight(w, weight, { one, few, many }, (enc, w, t) => {
            const view = weightRows(w, 64, 256)
            expect(view.parts.map((part) => part.rows)).toEqual([64, 128, 64])
            return {
              one: matmul(enc, t.one, view),
              few: matmul(enc, t.few, view),
              many: matmul(enc, t.many, view),
            }
          })
          const rows = held.slice(64 * 90, 320 * 90)
          expect(got.one).toBeClose(matmulRef(one, rows, 90))
          expect(got.few).toBeClose(matmulRef(few, rows, 90))
          expect(got.many).toBeClose(matmulRef(many, rows, 90))
        }),
    )
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
      const w = shaped(scale, [401, 1])
      const x = shaped(new Float32Array(M).fill(1), [M, 1])
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
    const { x, w } = seeded({ x: [150, 64], w: [200, 64] })
    for (const M of [1, 150]) {
      const rows = shaped(x.slice(0, M * 64), [M, 64])
      await withCaps({ maxDispatchFlops: M * 2 * 64 * 64 }, async () => {
        const { y, held } = await withWeight(w, { dtype: 'q4' }, { x: rows }, (enc, w, t) => {
          const before = enc.dispatches
          const y = matmul(enc, t.x, w)
          expect(enc.dispatches - before).toBeGreaterThan(3)
          return { y }
        })
        expect(y).toBeClose(matmulRef(rows, held, 64))
      })
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

describe('matmul backward', () => {
  describe.each(dtypes)('%s', (dtype) => {
    test.each(gradientCases)('dx matches the oracle for [$M, $N] x [$N, $K]', async ({ M, N, K }) => {
      const { dy, w } = seeded({ dy: [M, N], w: [N, K] })
      const { dx, held } = await withWeight(w, { dtype }, { dy }, (enc, w, t) => ({
        dx: matmulBackward(enc, t.dy, w),
      }))
      expect(dx).toBeClose(matmulBackwardRef(dy, held, K))
    })

    test('dx adds up over the parts of a weight', async () => {
      const { dy, w } = seeded({ dy: [19, 200], w: [200, 90] })
      const { dx, held } = await withWeight(w, { dtype, partRows: 64 }, { dy }, (enc, w, t) => ({
        dx: matmulBackward(enc, t.dy, w),
      }))
      expect(dx).toBeClose(matmulBackwardRef(dy, held, 90))
    })

    test('dx is added to what is there, some rows of a weight after the others', async () => {
      const { dy, w, into } = seeded({ dy: [19, 202], w: [330, 90], into: [19, 90] })
      const inputs = { dy, into }
      const { dx, held } = await withWeight(w, { dtype, partRows: 128 }, inputs, (enc, w, t) => {
        const view = weightRows(w, 128, 202)
        expect(matmulBackward(enc, t.dy, view, t.into)).toBe(t.into)
        return { dx: t.into }
      })
      const want = matmulBackwardRef(dy, held.slice(128 * 90), 90)
      expect(dx).toBeClose(want.map((value, i) => value + into[i]!))
    })
  })

  test.each(gradientCases)('adds dx for [$M, $N] x [$N, $K]', async ({ M, N, K }) => {
    const { dy, w, into } = seeded({ dy: [M, N], w: [N, K], into: [M, K] })
    const { dx } = await withWeight(w, { dtype: 'f32' }, { dy, into }, (enc, w, t) => ({
      dx: matmulBackward(enc, t.dy, w, t.into),
    }))
    expect(dx).toBeClose(matmulBackwardRef(dy, w, K).map((value, i) => value + into[i]!))
  })

  test.each(gradientCases)('dW and db match the oracle for [$M, $N]ᵀ x [$M, $K]', async ({ M, N, K }) => {
    const { dy, x, dw, db } = seeded({ dy: [M, N], x: [M, K], dw: [N, K], db: [N] })
    const want = matmulWeightBackwardRef(dy, x, K)
    const run = (accumulate: boolean) =>
      onGpu({ dy, x, dw, db }, (enc, t) => {
        matmulWeightBackward(enc, t.dy, t.x, { dw: t.dw, db: t.db }, accumulate)
        return { dw: t.dw, db: t.db }
      })
    const fresh = await run(false)
    expect(fresh.dw).toBeClose(want.dw)
    expect(fresh.db).toBeClose(want.db)
    expect(await run(false)).toEqual(fresh)
    const added = await run(true)
    expect(added.dw).toBeClose(want.dw.map((value, i) => value + dw[i]!))
    expect(added.db).toBeClose(want.db.map((value, i) => value + db[i]!))
  })

  test.each([
    ['with the lanes of a GPU', { isSoftware: false }],
    ['on a CPU adapter without subgroups', { isSoftware: true, subgroups: undefined }],
  ])('works %s, cut into dispatches', async (_, caps) => {
    const { dy, x, w, dw } = seeded({ dy: [70, 45], x: [70, 300], w: [45, 300], dw: [45, 300] })
    await withCaps({ ...caps, maxDispatchFlops: 2 * 8 * 256 * 45 * 3 }, async () => {
      const got = await withWeight(w, { dtype: 'f16' }, { dy, x, dw }, (enc, w, t) => {
        const before = enc.dispatches
        const dx = matmulBackward(enc, t.dy, w)
        expect(enc.dispatches - before).toBeGreaterThan(3)
        matmulWeightBackward(enc, t.dy, t.x, { dw: t.dw }, false)
        return { dx, dw: t.dw }
      })
      expect(got.dx).toBeClose(matmulBackwardRef(dy, got.held, 300))
      expect(got.dw).toBeClose(matmulWeightBackwardRef(dy, x, 300).dw)
    })
  })

  test('refuses shapes that do not fit', async () => {
    const { dy, x, w, dw } = seeded({ dy: [3, 5], x: [3, 8], w: [4, 8], dw: [4, 8] })
    await expect(
      withWeight(w, { dtype: 'f32' }, { dy }, (enc, w, t) => ({ dx: matmulBackward(enc, t.dy, w) })),
    ).rejects.toThrow('matmul-backward: dy should be f32 [..., 4] for w [4, 8] but is f32 [3, 5]')
    await expect(
      withWeight(w, { dtype: 'f32' }, { x: dw, dy }, (enc, w, t) => {
        const square = { ...t.x, shape: [8, 4] }
        return { dx: matmulBackward(enc, square, w, t.dy) }
      }),
    ).rejects.toThrow('matmul-backward: into for w should be [8, 8] but is [3, 5]')
    await expect(
      onGpu({ dy, x, dw }, (enc, t) => {
        matmulWeightBackward(enc, t.dy, t.x, { dw: t.dw }, false)
        return {}
      }),
    ).rejects.toThrow('matmul-weight-backward: dw should be [5, 8] but is [4, 8]')
  })
})
