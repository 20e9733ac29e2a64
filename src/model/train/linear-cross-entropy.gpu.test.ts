import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import '../../kernels/testing/setup'
import {
  Arena,
  destroyWeight,
  Encoder,
  NO_LABEL,
  unpackRows,
  uploadTensor,
  type Gpu,
  type Tensor,
  type Weight,
} from '../../kernels'
import { crossEntropyRef } from '../../kernels/cross-entropy/cross-entropy.ref'
import { matmulBackwardRef, matmulRef } from '../../kernels/matmul/matmul.ref'
import { weightFrom } from '../../kernels/pack/pack.testing'
import { testGpu } from '../../kernels/testing/gpu'
import { seeded } from '../../kernels/testing/numbers'
import { linearCrossEntropy } from './linear-cross-entropy'

const R = 19
const C = 60
const V = 1003
const SCALE = 0.25
const rowBytes = R * 4

/** First and last id of the vocabulary, ids on both sides of chunks' and parts' edges, and rows that take no part. */
const labels = Uint32Array.from([
  V - 1,
  0,
  127,
  128,
  NO_LABEL,
  191,
  192,
  255,
  256,
  NO_LABEL,
  319,
  320,
  959,
  960,
  500,
  64,
  NO_LABEL,
  63,
  1,
])

describe.each(['f32', 'q8', 'q4'] as const)('linear cross entropy of %s in parts of 192 rows', (dtype) => {
  let gpu: Gpu
  let w: Weight
  let x: Tensor
  let want: { losses: Float64Array; dx: Float64Array }

  beforeAll(async () => {
    gpu = await testGpu()
    const arena = new Arena(gpu)
    const enc = new Encoder(gpu, arena, 'test')
    const data = seeded({ x: [R, C], w: [V, C] })
    // Logits of a few nats, as a language model has them.
    data.w.forEach((value, i) => (data.w[i] = value / 4))
    x = uploadTensor(gpu, 'x', [R, C], data.x)
    const values = uploadTensor(gpu, 'w', [V, C], data.w)
    w = weightFrom(enc, values, dtype, 192)
    expect(w.parts.map(({ rows }) => rows)).toEqual([192, 192, 192, 192, 192, 43])
    const held = await enc.read(unpackRows(enc, w))
    enc.end()
    arena.destroy()
    gpu.destroyBuffer(values.buffer)
    const scales = new Float64Array(R).fill(SCALE)
    const { losses, gradient } = crossEntropyRef(matmulRef(data.x, held, C), labels, scales)
    want = { losses, dx: matmulBackwardRef(gradient, held, C) }
  })

  afterAll(() => {
    destroyWeight(gpu, w)
    gpu.destroyBuffer(x.buffer)
  })

  /** Losses and gradient; the largest temporary asked for, and all of them together. */
  async function run(scale: number | undefined, chunkBytes: number | undefined) {
    const arena = new Arena(gpu)
    const enc = new Encoder(gpu, arena, 'test')
    const ids = uploadTensor(gpu, 'labels', [R], labels)
    const take = vi.spyOn(arena, 'take')
    try {
      const { losses, dx } = linearCrossEntropy(enc, x, w, ids, scale, chunkBytes)
      return {
        losses: await enc.read(losses),
        dx: dx && (await enc.read(dx)),
        largestBytes: Math.max(...take.mock.calls.map(([, bytes]) => bytes)),
        totalBytes: arena.totalBytes,
      }
    } finally {
      enc.end()
      arena.destroy()
      gpu.destroyBuffer(ids.buffer)
      await gpu.check()
    }
  }

  // Of 128 ids every third chunk straddles two parts; of 320 three do, and a fourth of 43 ids is left. 64 are the least.
  test.each([
    { chunkBytes: 128 * rowBytes, rows: 128 },
    { chunkBytes: 383 * rowBytes, rows: 320 },
    { chunkBytes: 1, rows: 64 },
  ])(
    'in chunks of $rows ids: the oracle, and never more logits than a chunk',
    async ({ chunkBytes, rows }) => {
      const { losses, dx, largestBytes, totalBytes } = await run(SCALE, chunkBytes)
      expect(losses).toBeClose(want.losses)
      expect(dx).toBeClose(want.dx!)
      for (const [r, label] of labels.entries()) {
        if (label !== NO_LABEL) continue
        expect(losses[r]).toBe(0)
        expect(dx!.subarray(r * C, (r + 1) * C)).toEqual(new Float32Array(C))
      }
      expect(largestBytes).toBe(rows * rowBytes)
      expect(totalBytes).toBeLessThan(V * rowBytes)
    },
  )

  test('in one chunk where all of it fits', async () => {
    const { losses, dx, largestBytes } = await run(SCALE, undefined)
    expect(losses).toBeClose(want.losses)
    expect(dx).toBeClose(want.dx!)
    // Where V is odd, CPU adapters go back from a copy of one column more.
    expect([V, V + (V % 2)]).toContain(largestBytes / rowBytes)
  })

  test('without a gradient where none is asked for', async () => {
    const { losses, dx } = await run(undefined, 128 * rowBytes)
    expect(losses).toBeClose(want.losses)
    expect(dx).toBeUndefined()
  })
})
