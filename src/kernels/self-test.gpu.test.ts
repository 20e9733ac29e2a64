import { describe, expect, test } from 'vitest'
import { selfTest } from './self-test'
import { testGpu } from './testing/gpu'

describe('self-test', () => {
  test('passes on a device that computes right, soon after compilation, and frees what it took', async () => {
    const gpu = await testGpu()
    await selfTest(gpu, { thorough: true })
    const before = gpu.allocatedBytes
    const { passed, checks, ms } = await selfTest(gpu, { thorough: true })
    expect(checks.filter((check) => !check.passed)).toEqual([])
    expect(passed).toBe(true)
    expect(checks.map(({ name }) => name)).toEqual([
      ...['f32', 'f16', 'q8', 'q4'].flatMap((dtype) => [`matmul tiled ${dtype}`, `matmul vector ${dtype}`]),
      ...['f32', 'f16'].flatMap((dtype) => [`attention prompt ${dtype}`, `attention decode ${dtype}`]),
      'attention full',
      'sva',
      'rms norm',
      'layer norm',
      'rope',
      'activation gelu',
      'activation gelu_tanh',
      'activation quick_gelu',
      'activation silu',
      'swiglu',
      'softmax',
      'embedding',
      'argmax',
      'sample',
    ])
    expect(gpu.allocatedBytes).toBe(before)
    // 300 ms on a quiet machine; the rest is for machines that do other things besides.
    expect(ms).toBeLessThan(3000)
  })

  test('leaves out, where the CPU compiles, only variants of families that are tested', async () => {
    const gpu = await testGpu()
    const all = await selfTest(gpu, { thorough: true })
    const few = await selfTest(gpu, { thorough: false })
    const kept = new Set(few.checks.map(({ name }) => name))
    expect(all.checks.map(({ name }) => name).filter((name) => !kept.has(name))).toEqual([
      'matmul tiled f16',
      'matmul tiled q8',
      'matmul tiled q4',
      'attention prompt f16',
      'attention decode f16',
      'sample',
    ])
    expect(few.passed).toBe(true)
  })

  test.each(['matmul vector q4', 'attention decode f32', 'sva', 'rope', 'argmax'])(
    'reports a wrong %s and nothing else',
    async (wrong) => {
      const gpu = await testGpu()
      const { passed, checks } = await selfTest(gpu, {
        thorough: true,
        expected: (name, want) => {
          if (name !== wrong) return want
          const scale = Math.max(...Array.from(want, Math.abs))
          return Array.from(want, (value, i) => (i === want.length - 1 ? value + 0.01 * scale : value))
        },
      })
      expect(passed).toBe(false)
      const failed = checks.filter((check) => !check.passed)
      expect(failed.map(({ name }) => name)).toEqual([wrong])
      expect(failed[0]!.maxError).toBeGreaterThan(failed[0]!.tolerance)
    },
  )

  test('takes a value that is no number, or a missing one, for an error beyond any bound', async () => {
    const gpu = await testGpu()
    const { checks } = await selfTest(gpu, {
      expected: (name, want) =>
        name === 'rms norm'
          ? Array.from(want, () => NaN)
          : name === 'layer norm'
            ? Array.from(want).slice(1)
            : want,
    })
    const failed = checks.filter((check) => !check.passed)
    expect(failed.map(({ name, maxError }) => [name, maxError])).toEqual([
      ['rms norm', Infinity],
      ['layer norm', Infinity],
    ])
  })
})
