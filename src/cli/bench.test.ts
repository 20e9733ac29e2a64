import { describe, expect, test } from 'vitest'
import type { Profile } from '../worker/api'
import { parseCommandLine } from './args'
import { summarise, type BenchReport, type BenchRun } from './bench'
import { formatBench } from './bench-output'

const run = (loadMs: number, encodeMs: number, prefillMs: number, decodeMs: number): BenchRun => ({
  loadMs,
  encodeMs,
  reply: { prefillMs, decodeMs, promptTokens: 80, imageTokens: 64, tokenIds: [1, 2, 3, 4, 5] },
})

const profile: Profile = {
  method: 'timestamps',
  phases: [
    {
      phase: 'prompt',
      steps: 1,
      wallMs: 40,
      kernels: [
        { kernel: 'matmul-tile', dispatches: 10, ms: 15, flops: 3e9 },
        { kernel: 'rms-norm', dispatches: 4, ms: 5, flops: 0 },
      ],
    },
    { phase: 'decode', steps: 5, wallMs: 20, kernels: [{ kernel: 'rope', dispatches: 40, ms: 8, flops: 0 }] },
  ],
}

describe('bench', () => {
  test('takes its flags, and asks what suits without a prompt', () => {
    const args = (line: string) => parseCommandLine(line.split(' '))
    expect(args('bench --model m --image a.png --max-new-tokens 9 --runs 2 --profile --json')).toMatchObject({
      command: 'bench',
      model: 'm',
      images: ['a.png'],
      prompt: 'Describe the image.',
      maxNewTokens: 9,
      runs: 2,
      profile: true,
      json: true,
    })
    expect(args('bench --model m')).toMatchObject({ prompt: 'Tell me a story.', runs: 3, profile: false })
    expect(() => args('bench --model m --runs 0')).toThrow('bench: --runs should be a whole number from 1')
    expect(() => args('bench')).toThrow('bench: --model is missing')
  })

  test('tells medians, each of its own', () => {
    const odd = summarise([run(100, 10, 50, 8), run(300, 40, 60, 4), run(200, 20, 100, 2)], profile)
    expect(odd).toEqual({
      runs: 3,
      promptTokens: 80,
      imageTokens: 64,
      tokens: 5,
      medians: {
        loadMs: 200,
        firstTokenMs: 60,
        loadToFirstTokenMs: 300,
        encodeMs: 20,
        promptTokensPerSecond: 2000,
        decodeTokensPerSecond: 1000,
      },
      dispatchesPerToken: 8,
    })
    expect(summarise([run(100, 0, 50, 8), run(300, 0, 60, 4)], profile).medians.loadMs).toBe(200)
    expect(summarise([run(100, 0, 50, 8)], { ...profile, phases: [] }).dispatchesPerToken).toBe(0)
  })

  test('prints kernels with shares and rates where flops are declared', () => {
    const report: BenchReport = {
      model: 'm',
      adapter: 'a',
      dtype: 'f16',
      ...summarise([run(100, 10, 50, 8)], profile),
    }
    expect(formatBench(report)).toContain('question to first token  0.050 s, images 0.010 s\n')
    expect(formatBench(report)).not.toContain('matmul-tile')
    const [, prompt, decode] = formatBench({ ...report, profile }).split('\n\n')
    expect(prompt).toBe(
      "prompt: 40.0 ms, of which kernels 20.0 ms in 1 prompt, by the device's timestamps\n" +
        '  kernel       dispatches     ms  share  GFLOP/s\n' +
        '  matmul-tile          10  15.00  75.0%   200.00\n' +
        '  rms-norm              4   5.00  25.0%',
    )
    expect(decode).toContain('in 5 tokens')
  })
})
