import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseSafetensorsHeader } from '../model/checkpoint/safetensors'
import type { AskReport } from './ask'
import type { BenchReport } from './bench'
import { packageRoot } from './model-source'

interface Sample {
  image: string
  turns: { question: string; reply: string; input_ids: number[]; generated_ids: number[] }[]
}

const samples = join(packageRoot(), 'e2e', 'samples')
const expected = JSON.parse(readFileSync(join(samples, 'expected.json'), 'utf8')) as { samples: Sample[] }
const sample = expected.samples.find(({ image }) => image === '08-scene.png')!
const ask = ['ask', '--model', 'bundled/trilobite-nano-llava', '--image', join(samples, sample.image)]

interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

/** Runs the command line; `interruptAt` sends what Ctrl+C sends once that text has come out. */
function trilobite(args: string[], interruptAt?: string): Promise<Ended> {
  const launcher = join(packageRoot(), 'src', 'cli', 'launch.mjs')
  // A process group of its own, so that the signal reaches launcher and program as from a terminal.
  const child = spawn(process.execPath, [launcher, ...args, '--adapter', 'default'], { detached: true })
  let stdout = ''
  let stderr = ''
  let interrupted = false
  child.stdout.on('data', (text) => {
    stdout += text
    if (interrupted || interruptAt === undefined || !stdout.includes(interruptAt)) return
    interrupted = true
    process.kill(-child.pid!, 'SIGINT')
  })
  child.stderr.on('data', (text) => (stderr += text))
  return new Promise((done) => child.on('close', (status) => done({ status, stdout, stderr })))
}

// What differs between adapters is the engine's to test; SwiftShader would take minutes to say the same.
describe.skipIf(process.env.TRILOBITE_ADAPTER === 'swiftshader')('trilobite ask', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trilobite-cli-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('--json gives the recorded ids over two turns, and --dump the first turn', async () => {
    const file = join(folder, 'dump.safetensors')
    const prompts = sample.turns.flatMap(({ question }) => ['--prompt', question])
    const { status, stdout, stderr } = await trilobite([...ask, ...prompts, '--json', '--dump', file])
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const report = JSON.parse(stdout) as AskReport
    expect(Object.keys(report)).toEqual(['model', 'adapter', 'dtype', 'turns', 'memory'])
    expect(report.turns.map((turn) => turn.tokenIds)).toEqual(sample.turns.map((turn) => turn.generated_ids))
    expect(report.turns.map((turn) => turn.promptTokenIds)).toEqual(
      sample.turns.map((turn) => turn.input_ids),
    )
    expect(report.turns.map((turn) => turn.text.trim())).toEqual(sample.turns.map((turn) => turn.reply))
    expect(report.turns[0]).toMatchObject({ promptTokens: 76, imageTokens: 64 })
    expect(report.memory.gpuBytes).toBeGreaterThan(8e6)
    expect(report.memory.peakHostBytes).toBeGreaterThan(10e6)

    const bytes = readFileSync(file)
    const { tensors } = parseSafetensorsHeader(bytes, bytes.length, file)
    const shapes = Object.fromEntries([...tensors.values()].map(({ name, shape }) => [name, shape]))
    expect(shapes).toEqual({
      pixel_values: [1, 3, 48, 48],
      vision_features: [1, 64, 192],
      connector_output: [1, 64, 192],
      inputs_embeds: [76, 192],
      logits: [76, 704],
    })
  })

  test('text streams to stdout, numbers go to stderr', async () => {
    const turn = sample.turns[0]!
    const { status, stdout, stderr } = await trilobite([...ask, '--prompt', turn.question])
    expect(status).toBe(0)
    expect(stdout.trim()).toBe(turn.reply)
    expect(stderr).toMatch(/^\[\d+ tokens, [\d.]+ tokens\/s, first after [\d.]+ s; .*ended by stop\]\n$/)
  })

  test('Ctrl+C ends a reply and says so', async () => {
    const { status, stdout, stderr } = await trilobite([...ask, '--prompt', sample.turns[0]!.question], ' A')
    expect(stderr.split('\n').at(-2)).toMatch(/^AbortError: /)
    expect(status).toBe(130)
    expect(sample.turns[0]!.reply.startsWith(stdout.trim())).toBe(true)
  })
  test('bench --json times a load and an answer, and its kernels', async () => {
    const [, ...model] = ask
    const line = ['bench', ...model, '--runs', '1', '--max-new-tokens', '4', '--profile', '--json']
    const { status, stdout, stderr } = await trilobite(line)
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const { medians, profile, dispatchesPerToken, ...rest } = JSON.parse(stdout) as BenchReport
    expect(rest).toMatchObject({ dtype: 'f16', runs: 1, imageTokens: 64, tokens: 4 })
    expect(medians.loadToFirstTokenMs).toBeCloseTo(medians.loadMs + medians.firstTokenMs)
    expect(medians.firstTokenMs).toBeGreaterThan(medians.encodeMs)
    for (const value of Object.values(medians)) expect(value).toBeGreaterThan(0)
    expect(profile!.phases.map(({ phase }) => phase)).toEqual(['encode', 'prompt', 'decode'])
    expect(profile!.method).toBe('timestamps')
    expect(dispatchesPerToken).toBeGreaterThan(10)
  })
})
