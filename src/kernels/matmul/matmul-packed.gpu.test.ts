import { describe, expect, test } from 'vitest'
import type { Encoder } from '../gpu/encoder'
import { dequantiseRef, quantiseQ8Ref } from '../pack/pack.ref'
import { withCaps } from '../testing/caps'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded, shaped, type Shaped } from '../testing/numbers'
import type { Tensor } from '../tensor'
import { withWeights } from '../testing/weights'
import { PRODUCT_CLASSES, TUNING_VERSION, UNTUNED, type Tuning } from '../tuning'
import { matmul } from './matmul'
import { packedCases } from './matmul.cases'
import { matmulRef } from './matmul.ref'
import { BLOCK_WORDS, quantiseRows } from './quantise-rows'

/** Rows of K elements with zeros up to a multiple of 32, as a product pads them. */
function padded(x: Shaped): Shaped {
  const [M = 0, K = 0] = x.shape
  const stride = Math.ceil(K / 32) * 32
  const rows = new Float32Array(M * stride)
  for (let m = 0; m < M; m++) rows.set(x.subarray(m * K, (m + 1) * K), m * stride)
  return shaped(rows, [M, stride])
}

/** What `quantiseRows` made: bytes, scales and sums in order of blocks. */
function readBlocks(blocks: Float32Array) {
  const count = blocks.length / BLOCK_WORDS
  const bytes = new Int8Array(blocks.buffer, blocks.byteOffset, blocks.byteLength)
  return {
    codes: Int32Array.from(
      { length: count * 32 },
      (_, i) => bytes[Math.floor(i / 32) * BLOCK_WORDS * 4 + (i % 32)]!,
    ),
    scales: Float64Array.from({ length: count }, (_, i) => blocks[i * BLOCK_WORDS + 8]!),
    sums: Float64Array.from({ length: count }, (_, i) => blocks[i * BLOCK_WORDS + 9]!),
  }
}

const recordBlocks = (enc: Encoder, x: Tensor) => ({ blocks: quantiseRows(enc, x) })

/** Runs with the forms of GPUs, all products of many rows in bytes. */
async function tuned(run: () => Promise<void>): Promise<void> {
  const gpu = await testGpu()
  const products = Object.fromEntries(PRODUCT_CLASSES.map((name) => [name, 'packed'])) as Tuning['products']
  gpu.tuning = { version: TUNING_VERSION, products }
  try {
    await withCaps({ isSoftware: false }, run)
  } finally {
    gpu.tuning = UNTUNED
  }
}

describe('rows in bytes', () => {
  test.each([1, 9, 130])('are the nearest ones of each block, %i rows', async (M) => {
    const { x } = seeded({ x: [M, 96] })
    x.fill(0, 32, 64)
    const want = quantiseQ8Ref(x, M, 96)
    const { codes, scales, sums } = readBlocks(
      (await onGpu({ x }, (enc, t) => recordBlocks(enc, t.x))).blocks,
    )
    expect(scales).toBeClose(want.scales, { rtol: 1e-6 })
    for (const [i, code] of codes.entries()) {
      const scale = want.scales[Math.floor(i / 32)]!
      // Half way between two codes, rounding of the quotient decides.
      const exact = scale ? x[i]! / scale : 0
      expect(Math.abs(code - exact)).toBeLessThanOrEqual(0.5001)
    }
    const wantSums = scales.map(
      (scale, b) => scale * codes.subarray(b * 32, b * 32 + 32).reduce((a, q) => a + q),
    )
    expect(sums).toBeClose(wantSums, { rtol: 1e-6 })
  })
})

describe.each(['q8', 'q4'] as const)('matmul in bytes, %s', (dtype) => {
  test.each(packedCases)('is exact but for rounding x, [$M, $K] x [$N, $K]', async ({ M, N, K }) => {
    const { x, w, bias, residual } = seeded({ x: [M, K], w: [N, K], bias: [N], residual: [M, N] })
    const options = { bias, activation: 'silu', residual } as const
    const inputs = { x, whole: padded(x), bias, residual }
    await tuned(async () => {
      const got = await withWeights({ w }, { dtype, partRows: 64 }, inputs, (enc, { w }, t) => ({
        y: matmul(enc, t.x, w, { ...options, bias: t.bias, residual: t.residual }),
        ...recordBlocks(enc, t.whole),
      }))
      const { codes, scales } = readBlocks(got.blocks)
      const rounded = dequantiseRef({ codes, scales, offsets: scales.map(() => 0) }, M, K)
      expect(got.y).toBeClose(matmulRef(rounded, got.held_w, K, options))
      // Each element of x is off by up to 1/254 of the largest of its block, on either side: 3 % of the largest sum.
      const exact = matmulRef(x, got.held_w, K, options)
      expect(got.y).toBeClose(exact, { rtol: 0.03 })
      expect(got.y).not.toBeClose(exact)
    })
  })
})

test('matmul in bytes is cut into dispatches, and left alone where inputs must not be rounded', async () => {
  const { x, w } = seeded({ x: [70, 64], w: [200, 64] })
  const run = (change: (enc: Encoder) => void) =>
    withWeights({ w }, { dtype: 'q8' }, { x }, (enc, { w }, t) => {
      change(enc)
      const before = enc.dispatches
      const y = matmul(enc, t.x, w)
      expect(enc.dispatches - before).toBeGreaterThan(3)
      return { y }
    })
  await tuned(() =>
    withCaps({ maxDispatchFlops: 2 * 64 * 64 * 64 * 3 }, async () => {
      const packed = await run(() => {})
      expect(packed.y).toBeClose(matmulRef(x, packed.held_w, 64), { rtol: 0.03 })
      const exact = await run((enc) => (enc.isExact = true))
      expect(exact.y).toBeClose(matmulRef(x, exact.held_w, 64))
      expect(packed.y).not.toBeClose(exact.y)
    }),
  )
})
