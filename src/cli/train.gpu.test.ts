import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageRoot } from './model-source'
import { lockFolder } from './run-lock'

interface Step {
  step: number
  loss: number
  lr: number
  gradNorm: number
  tokens: number
  ms: number
}

const golden = join(packageRoot(), 'e2e', 'golden', 'train-clip-llama')
const facts = JSON.parse(readFileSync(join(golden, 'expected.json'), 'utf8')) as {
  steps: { loss: number; lr: number; grad_norm: number }[]
}
/** Relative, as the reference's README suggests. */
const TOLERANCE = 1e-4

interface Ended {
  status: number | null
  lines: string[]
  stderr: string
}

/** Runs the command line until it ends, or until a line is out at which it gets a signal: all of it, or its launcher alone. */
function trilobite(
  args: string[],
  at?: { line: number; signal: NodeJS.Signals; launcherAlone?: boolean },
): Promise<Ended> {
  const launcher = join(packageRoot(), 'src', 'cli', 'launch.mjs')
  // A process group of its own, so that a signal reaches launcher and program as from a terminal.
  const child = spawn(process.execPath, [launcher, ...args, '--adapter', 'default'], { detached: true })
  let stdout = ''
  let stderr = ''
  let sent = false
  child.stdout.on('data', (text) => {
    stdout += text
    if (sent || !at || stdout.split('\n').length <= at.line) return
    sent = true
    process.kill(at.launcherAlone ? child.pid! : -child.pid!, at.signal)
  })
  child.stderr.on('data', (text) => (stderr += text))
  return new Promise((done) =>
    child.on('close', (status) => done({ status, lines: stdout.split('\n').slice(0, -1), stderr })),
  )
}

/** Without the time it took. */
const numbers = (lines: string[]) =>
  lines.map((line) => {
    const { ms, ...rest } = JSON.parse(line) as Step
    expect(ms).toBeGreaterThan(0)
    return rest
  })

// What differs between adapters is the trainer's to test; SwiftShader would take minutes to say the same.
describe.skipIf(process.env.TRILOBITE_ADAPTER === 'swiftshader')('trilobite train', () => {
  let root: string
  let whole: Ended
  const at = (name: string) => join(root, name)
  const train = (name: string, ...more: string[]) =>
    ['train', '--model', join(golden, 'checkpoint'), '--data', join(golden, 'data.json'), '--images', golden]
      // The order wins, and is taken from the recorded case as it is.
      .concat(['--out', at(name), '--order', join(golden, 'expected.json'), '--epochs', '1'])
      .concat(['--caption-end', 'eos', '--lr', '1e-3', '--warmup-ratio', '0.03', '--dtype', 'f32', '--json'])
      .concat(['--cache', at('features'), '--checkpoint-every', '4', ...more])

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'trilobite-train-'))
    whole = await trilobite(train('whole'))
  })
  afterAll(() => rm(root, { recursive: true }))

  test('prints the recorded steps and leaves a connector', async () => {
    expect(whole).toMatchObject({ status: 0 })
    expect(whole.stderr).toContain('note: the order says every step: --epochs 1 gives way to its 20 steps\n')
    const steps = whole.lines.slice(0, -1).map((line) => JSON.parse(line) as Step)
    expect(steps.map(({ step }) => step)).toEqual(facts.steps.map((_, i) => i + 1))
    expect(steps.map(({ loss }) => loss)).toBeClose(
      facts.steps.map(({ loss }) => loss),
      { rtol: TOLERANCE, atol: 0 },
    )
    expect(steps.map(({ lr }) => lr)).toBeClose(
      facts.steps.map(({ lr }) => lr),
      { rtol: 1e-9, atol: 0 },
    )
    expect(JSON.parse(whole.lines.at(-1)!)).toEqual({
      done: true,
      out: at('whole'),
      evalLoss: null,
      steps: 20,
    })
    expect((await readdir(at('whole'))).sort()).toEqual(
      ['README.md', 'checkpoint.safetensors', 'config.json', 'log.csv', 'log.jsonl', 'model.safetensors']
        .concat(['recipe.json', 'run.json', 'settings.json'])
        .sort(),
    )
    // One for each picture.
    expect(await readdir(at('features'))).toHaveLength(6)
    expect((await trilobite(train('whole'))).stderr).toMatch(
      /^UsageError: train: .* already holds a run \(20 of 20 steps\)/,
    )
  })

  test('killed, it goes on from its checkpoint to the same numbers', async () => {
    const killed = await trilobite(train('killed'), { line: 7, signal: 'SIGKILL' })
    expect(killed.status).toBeNull()
    expect(killed.lines.length).toBeLessThan(20)
    expect(numbers(killed.lines)).toEqual(numbers(whole.lines.slice(0, killed.lines.length)))

    const rest = await trilobite([...train('killed'), '--resume'])
    expect(rest).toMatchObject({ status: 0 })
    const first = (JSON.parse(rest.lines[0]!) as Step).step
    expect(first % 4).toBe(1)
    expect(first).toBeLessThanOrEqual(killed.lines.length + 1)
    expect(numbers(rest.lines.slice(0, -1))).toEqual(numbers(whole.lines.slice(first - 1, -1)))
    for (const file of ['model.safetensors', 'checkpoint.safetensors']) {
      const bytes = await readFile(join(at('killed'), file))
      const same = await readFile(join(at('whole'), file))
      // Names of runs and times differ in the exported header.
      const weights = (of: Buffer) => of.subarray(8 + Number(of.readBigUInt64LE()))
      expect(weights(bytes).equals(weights(same)), file).toBe(true)
    }
  })

  test('killing its launcher alone ends it: nothing trains on unseen', async () => {
    // What it prints ends when both have gone.
    const orphan = await trilobite(train('orphan'), { line: 3, signal: 'SIGKILL', launcherAlone: true })
    expect(orphan.status).toBeNull()
    expect(orphan.lines.length).toBeLessThan(20)
  })

  test('Ctrl+C pauses behind the step, and the connector so far can be chatted with', async () => {
    const paused = await trilobite(train('paused', '--checkpoint-every', '0'), { line: 5, signal: 'SIGINT' })
    expect(paused.status).toBe(130)
    const end = JSON.parse(paused.lines.at(-1)!) as { done: boolean; steps: number }
    expect(end).toEqual({ done: false, out: at('paused'), evalLoss: null, steps: paused.lines.length - 1 })
    expect(end.steps).toBeLessThan(20)
    expect(paused.stderr).toMatch(/AbortError: train: paused behind step \d+ of 20; .*--resume/)
    expect(await readdir(at('paused'))).not.toContain('lock')

    const other = await trilobite([...train('paused', '--checkpoint-every', '0', '--lr', '0.5'), '--resume'])
    expect(other.stderr).toMatch(/^UsageError: .*--lr 0.5 \(the run has 0.001\)/)
    const image = join(golden, 'image-0.png')
    const model = ['--model', join(golden, 'checkpoint'), '--dtype', 'f32', '--image', image]
    const ask = ['ask', ...model, '--raw', '--prompt', '<image>', '--max-new-tokens', '1', '--json']
    const dumps = ['paused', 'checkpoint'].map((name) => at(`${name}.safetensors`))
    const asked = await trilobite([...ask, '--dump', dumps[0]!, '--connector', at('paused')])
    expect(asked).toMatchObject({ status: 0 })
    expect(asked.stderr).toMatch(
      /^note: through the connector paused\/model\.safetensors \(\d[\d,]+ parameters\)\n$/,
    )
    expect(await trilobite([...ask, '--dump', dumps[1]!])).toMatchObject({ status: 0, stderr: '' })
    const [trained, own] = dumps.map((file) => readFileSync(file))
    expect(trained!.equals(own!)).toBe(false)
  })

  test('in a folder that another process trains in, it writes nothing and names the lock', async () => {
    const release = await lockFolder(at('held'))
    const { status, lines, stderr } = await trilobite(train('held'))
    expect([status, lines]).toEqual([1, []])
    expect(stderr).toMatch(new RegExp(`^TrainingError: train: process ${process.pid} is training in `))
    expect(stderr).toContain(`delete ${join(at('held'), 'lock')}\n`)
    expect(await readdir(at('held'))).toEqual(['lock'])
    release()
  })

  /** Rows of their own, with the recorded pictures and these files beside them. */
  async function rows(name: string, data: object[], files: Record<string, string> = {}): Promise<string[]> {
    const folder = at(`${name} data`)
    await mkdir(folder)
    await writeFile(join(folder, 'data.json'), JSON.stringify(data))
    await copyFile(join(golden, 'image-0.png'), join(folder, 'image-0.png'))
    for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text)
    const model = ['train', '--model', join(golden, 'checkpoint'), '--dtype', 'f32']
    return [...model, '--data', join(folder, 'data.json'), '--out', at(name), '--json']
  }
  const turns = (question: string, reply: string) => [
    { from: 'human', value: question },
    { from: 'gpt', value: reply },
  ]

  test('says which rows were of no use although the run fails', async () => {
    const broken = (id: string) => ({
      id,
      image: `${id}.png`,
      conversations: turns('<image>', 'A picture.'),
    })
    const files = { 'a.png': 'no picture', 'b.png': 'nor this' }
    const data = [broken('a'), broken('gone'), broken('b')]
    const failed = await trilobite(await rows('broken', data, files))
    expect(failed).toMatchObject({ status: 1 })
    const list = join(at('broken'), 'skipped.jsonl')
    expect(failed.stderr).toContain(
      `1 of 3 rows is left out, listed in ${list}:\n  row 1 (gone, gone.png): its picture gone.png is not there\n`,
    )
    expect(failed.stderr).toMatch(/^left out: row 0 \(a, a\.png\): .*$/m)
    expect(failed.stderr).toMatch(/^left out: row 2 \(b, b\.png\): .*$/m)
    expect(failed.stderr).toMatch(/TrainingError: train: not one row of 1 steps can be used\./)
    const listed = (await readFile(list, 'utf8')).trimEnd().split('\n')
    expect(listed.map((line) => (JSON.parse(line) as { id: string }).id).sort()).toEqual(['a', 'b', 'gone'])
    expect(await readdir(at('broken'))).not.toContain('lock')
  })

  test('learns of text alone under a chat template, and leaves it out under the plain one', async () => {
    const text = (id: string) => ({ id, conversations: turns('What floats?', 'A boat on a lake.') })
    const pair = { id: 'pair', image: 'image-0.png', conversations: turns('<image>\nWhat?', 'A red house.') }
    const data = [text('1'), text('2'), pair, text('3')]
    const options = ['--batch-size', '2', '--accumulate', '1', '--epochs', '1', '--held-out', '1']
    const chat = await trilobite([...(await rows('text', data)), ...options, '--template', 'vicuna_v1'])
    expect(chat).toMatchObject({ status: 0 })
    expect(chat.stderr).not.toContain('left out')
    const log = (await readFile(join(at('text'), 'log.jsonl'), 'utf8')).trimEnd().split('\n')
    const steps = log
      .map((line) => JSON.parse(line) as { type: string; samples: number; loss: number })
      .filter(({ type }) => type === 'step')
    expect(steps.map(({ samples }) => samples)).toEqual([2, 1])
    for (const { loss } of steps) expect(loss).toBeGreaterThan(0)
    const end = JSON.parse(chat.lines.at(-1)!) as { evalLoss: number; evalLossBefore: number }
    expect(end.evalLoss).toBeGreaterThan(0)
    expect(end.evalLossBefore).toBeGreaterThan(0)

    const plain = await trilobite([...(await rows('plain', [...data, pair])), ...options])
    expect(plain).toMatchObject({ status: 0 })
    expect(plain.stderr).toMatch(
      /^3 of 5 rows are left out, .*\n {2}row 0 \(1\): has no picture, and the plain/m,
    )
    expect(JSON.parse(await readFile(join(at('plain'), 'run.json'), 'utf8'))).toMatchObject({
      dataset: { rows: 5, skipped: 3 },
      step: 1,
    })
  })
})

describe.skipIf(process.env.TRILOBITE_ADAPTER === 'swiftshader')('trilobite gradcheck', () => {
  test('finds the gradients of a recorded model right', async () => {
    const { status, lines, stderr } = await trilobite([
      'gradcheck',
      '--model',
      join(golden, 'checkpoint'),
      '--directions',
      '2',
    ])
    expect(stderr).toBe('')
    expect(status).toBe(0)
    expect(lines.filter((line) => line.endsWith('  ok'))).toHaveLength(2 + 4)
    expect(lines.at(-1)).toMatch(/^gradients are right: 6 checks within/)
  })
})
