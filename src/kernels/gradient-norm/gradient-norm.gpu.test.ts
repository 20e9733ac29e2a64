import { describe, expect, test } from 'vitest'
import { elementCount } from '../tensor'
import { onGpu, testGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded, shaped, type Shaped } from '../testing/numbers'
import { gradientNorm } from './gradient-norm'
import { gradientNormCases } from './gradient-norm.cases'
import { gradientNormRef } from './gradient-norm.ref'

const byIndex = <T>(items: readonly T[]): Record<string, T> => Object.fromEntries(items.entries())

/** The norm's state as numbers. */
async function run(gradients: readonly Shaped[], maxNorm: number) {
  const { clip } = await onGpu(byIndex(gradients), (enc, t) => ({
    clip: gradientNorm(enc, Object.values(t), maxNorm),
  }))
  const [norm, scale, finite, last] = clip
  expect(clip.length).toBe(4)
  expect(last).toBe(0)
  expect(finite === 0 || finite === 1).toBe(true)
  return { norm: norm!, scale: scale!, isFinite: finite === 1 }
}

const near = (got: number, want: number, rtol = 5e-7) => expect(Math.abs(got / want - 1)).toBeLessThan(rtol)

const random = (shapes: readonly (readonly number[])[]) => Object.values(seeded(byIndex(shapes)))

describe('gradient-norm', () => {
  test.each(gradientNormCases)('matches the oracle for $shapes', async ({ shapes }) => {
    const gradients = random(shapes)
    const want = gradientNormRef(gradients, 0)
    for (const maxNorm of [0, want.norm / 3, want.norm * 2]) {
      const got = await run(gradients, maxNorm)
      near(got.norm, want.norm)
      near(got.scale, gradientNormRef(gradients, maxNorm).scale)
      expect(got.isFinite).toBe(true)
      expect(await run(gradients, maxNorm)).toEqual(got)
    }
  })

  test('works with the lanes of a GPU', async () => {
    const { caps } = await testGpu()
    const device = caps as { isSoftware: boolean }
    const real = device.isSoftware
    try {
      device.isSoftware = false
      const gradients = random([[128, 129], [40_000], [5]])
      near((await run(gradients, 1)).norm, gradientNormRef(gradients, 1).norm)
    } finally {
      device.isSoftware = real
    }
  })

  test.each([0, 1 / 300])('25 million entries, %d apart, lose nothing to rounding', async (apart) => {
    const count = 25e6
    const gradient = shaped(new Float32Array(count), [5000, 5000])
    for (let i = 0; i < count; i++) gradient[i] = 0.1 + (i % 1000) * apart
    near((await run([gradient], 1)).norm, gradientNormRef([gradient], 1).norm, 1e-6)
  })

  test('a norm of zero and tiny gradients are not clipped', async () => {
    expect(await run([shaped(new Float32Array(5), [5])], 1)).toEqual({ norm: 0, scale: 1, isFinite: true })
    const got = await run([shaped(new Float32Array(16).fill(1e-10), [16])], 1)
    near(got.norm, 4e-10)
    expect(got.scale).toBe(1)
  })

  test.each([NaN, Infinity, -Infinity, 1e25])('%d anywhere forbids the step', async (value) => {
    const shapes = [[70], [20_003], [4, 4], [65_536]]
    for (const tensor of shapes.keys()) {
      const gradients = random(shapes)
      const count = elementCount(shapes[tensor]!)
      for (const at of [0, count - 1]) {
        const kept = gradients[tensor]![at]!
        gradients[tensor]![at] = value
        expect(await run(gradients, 1)).toEqual({ norm: NaN, scale: 0, isFinite: false })
        gradients[tensor]![at] = kept
      }
    }
  })

  test('a folded grid reaches every entry once', async () => {
    const gradients = random([[90_001], [16_384 * 5]])
    const { clip } = await onGpu(byIndex(gradients), (enc, t) =>
      withGridLimit(enc.gpu, 4, () => ({ clip: gradientNorm(enc, Object.values(t), 1) })),
    )
    near(clip[0]!, gradientNormRef(gradients, 1).norm)
  })

  test('refuses what has no norm', async () => {
    const [gradient] = random([[8]])
    await expect(run([], 1)).rejects.toThrow(
      'gradient-norm: gradients should have entries but there are none',
    )
    await expect(run([gradient!], -1)).rejects.toThrow('gradient-norm: maxNorm should be 0')
    await expect(
      onGpu({ gradient: gradient! }, (enc, t) => ({
        clip: gradientNorm(enc, [{ ...t.gradient, dtype: 'u32' }], 1),
      })),
    ).rejects.toThrow('gradient-norm: gradient 0 should be f32 but is u32')
  })
})
