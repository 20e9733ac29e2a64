import { describe, expect, test } from 'vitest'
import { uploadTensor } from '../gpu/memory'
import { onGpu, testGpu } from '../testing/gpu'
import { seeded, shaped } from '../testing/numbers'
import { rope, ropeBackward } from './rope'
import { ropeCases } from './rope.cases'
import { ropeRef } from './rope.ref'
import { ropeFrequencies } from './rope-frequencies'

const frequenciesOf = (R: number) => {
  const { frequencies } = ropeFrequencies({ theta: 10_000, rotaryDim: R, maxPositions: 4096 }, 1)
  return shaped(frequencies, [R / 2])
}

const consecutive = (T: number, position: number) => Array.from({ length: T }, (_, t) => position + t)

describe('rope', () => {
  test.each(ropeCases)(
    'matches the oracle for $T x $H heads of $D, $R turning, from $position',
    async ({ T, H, D, R, position, scale }) => {
      const { x, dy } = seeded({ x: [T, H * D], dy: [T, H * D] })
      const frequencies = frequenciesOf(R)
      const got = await onGpu({ x, dy, frequencies }, (enc, t) => {
        const options = { headDim: D, rotaryDim: R, position, scale, frequencies: t.frequencies }
        return { y: rope(enc, t.x, options), dx: ropeBackward(enc, t.dy, options) }
      })
      const positions = consecutive(T, position)
      expect(got.y).toBeClose(ropeRef(x, frequencies, positions, D, scale), { rtol: 1e-6 })
      expect(got.dx).toBeClose(ropeRef(dy, frequencies, positions, D, scale, -1), { rtol: 1e-6 })
    },
  )

  test('keeps every digit of cos and sin up to position 131071', async () => {
    // x = (1, 0) turns into (cos, sin).
    const frequencies = frequenciesOf(64)
    for (const position of [0, 1, 100, 4095 - 63, 32_768, 131_072 - 64]) {
      const x = shaped(new Float32Array(64 * 64), [64, 64])
      for (let t = 0; t < 64; t++) x.fill(1, t * 64, t * 64 + 32)
      const got = await onGpu({ x, frequencies }, (enc, t) => ({
        y: rope(enc, t.x, { headDim: 64, rotaryDim: 64, position, frequencies: t.frequencies }),
      }))
      const want = ropeRef(x, frequencies, consecutive(64, position), 64)
      expect(got.y).toBeClose(want, { atol: 2e-7, rtol: 0 })
    }
  })

  test('takes each row at its own position', async () => {
    const { x } = seeded({ x: [4, 48] })
    const frequencies = frequenciesOf(24)
    const positions = Uint32Array.of(7, 0, 4095, 3)
    const gpu = await testGpu()
    const tensor = uploadTensor(gpu, 'positions', [4], positions)
    const got = await onGpu({ x, frequencies }, (enc, t) => ({
      y: rope(enc, t.x, {
        headDim: 24,
        rotaryDim: 24,
        position: 0,
        positions: tensor,
        frequencies: t.frequencies,
      }),
    }))
    gpu.destroyBuffer(tensor.buffer)
    expect(got.y).toBeClose(ropeRef(x, frequencies, positions, 24), { rtol: 1e-6 })
  })

  test('takes its heads out of fused rows', async () => {
    const { x } = seeded({ x: [3, 80] })
    const frequencies = frequenciesOf(16)
    const got = await onGpu({ x, frequencies }, (enc, t) => ({
      y: rope(enc, t.x, {
        headDim: 16,
        rotaryDim: 16,
        position: 9,
        frequencies: t.frequencies,
        start: 32,
        heads: 2,
      }),
    }))
    const columns = Float32Array.from(
      { length: 3 * 32 },
      (_, i) => x[Math.floor(i / 32) * 80 + 32 + (i % 32)]!,
    )
    expect(got.y).toBeClose(ropeRef(columns, frequencies, consecutive(3, 9), 16), { rtol: 1e-6 })
  })

  test('refuses rows that are no whole number of heads', async () => {
    const { x } = seeded({ x: [2, 20] })
    const run = onGpu({ x, frequencies: frequenciesOf(16) }, (enc, t) => ({
      y: rope(enc, t.x, { headDim: 16, rotaryDim: 16, position: 0, frequencies: t.frequencies }),
    }))
    await expect(run).rejects.toThrow('rope: x has rows of 20, from 0 on that is not 1 whole heads of 16')
  })
})
