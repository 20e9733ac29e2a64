import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSafetensors, type TensorData } from '../model/checkpoint/safetensors-writer'
import { AbortError, CheckpointError } from '../model/errors'
import { UnsupportedDeviceError } from '../kernels/errors'
import type { DeviceReport, LoadProgress, Reply } from '../worker/api'
import type { DebugTensors, Engine } from '../worker/engine'
import { HELP, parseCommandLine, type AskArgs, type InfoArgs, type PlanArgs } from './args'
import { askAll, conversationAt, readImages, type AskReport } from './ask'
import { createEngine, loadModel, planModel, repositoryResolver } from './engine'
import { errorLine } from './errors'
import { HostMemoryMeter } from './host-memory'
import { bundledFolder, packageRoot, resolveModel } from './model-source'
import { adapterName, formatPlan, formatProgress, formatTower, formatReport, print } from './output'

/** As shells report a program that Ctrl+C ended. */
const INTERRUPTED = 130

async function main(argv: string[]): Promise<void> {
  const args = parseCommandLine(argv)
  switch (args.command) {
    case 'help':
      return print(`${HELP}\n`)
    case 'version':
      return print(`${version()}\n`)
    case 'info':
      return info(args)
    case 'plan':
      return plan(args)
    case 'ask':
      return ask(args)
  }
}

async function info(args: InfoArgs): Promise<void> {
  const engine = await createEngine(args.adapter)
  const report = await engine.probe()
  await print(args.json ? json(report) : formatReport(report))
  throwIfUnfit(report)
}

async function plan(args: PlanArgs): Promise<void> {
  const { model, base, resolve } = await findModels(args)
  const engine = await createEngine(args.adapter, resolve)
  const result = await planModel(engine, model, { dtype: args.dtype, ...loadOptionsOf(args) }, base)
  await print(args.json ? json(result) : formatPlan(result))
}

async function ask(args: AskArgs): Promise<void> {
  const { model, base, resolve } = await findModels(args)
  const images = await readImages(args.images)
  const engine = await createEngine(args.adapter, resolve)
  const interrupted = watchInterrupt(engine)
  const report = await engine.probe()
  throwIfUnfit(report)

  const meter = new HostMemoryMeter()
  const progress = new ProgressLine()
  const options = { dtype: args.dtype, ...loadOptionsOf(args) }
  const loaded = await loadModel(engine, model, options, (p) => progress.show(p), base)
  progress.clear()
  for (const note of loaded.notes) process.stderr.write(`note: ${note}\n`)
  if (interrupted()) throw new AbortError('ask: stopped while the model was loading')

  if (args.dump !== undefined) await dump(engine, args, images)
  const { turns, aborted } = await askAll(
    engine,
    args,
    images,
    (text) => {
      if (!args.json) process.stdout.write(text)
    },
    (reply) => {
      if (args.json) return
      process.stdout.write('\n')
      process.stderr.write(`${statsLine(reply)}\n`)
    },
    (event) => {
      if (event.type === 'notice') {
        progress.clear()
        process.stderr.write(`note: ${event.message}\n`)
      } else if (event.type === 'tower') {
        progress.write(formatTower(event))
      } else {
        progress.clear()
      }
    },
  )
  meter.stop()
  if (aborted || interrupted()) throw new AbortError('ask: stopped before the reply was complete')
  if (!args.json) return
  const result: AskReport = {
    model: loaded.model,
    adapter: adapterName(report),
    dtype: loaded.dtype,
    turns,
    memory: {
      gpuBytes: loaded.gpuBytes,
      gpuPeakBytes: (await engine.gpuMemory()).peakBytes,
      peakHostBytes: meter.peakBytes,
    },
  }
  await print(json(result))
}

async function dump(engine: Engine, args: AskArgs, images: Awaited<ReturnType<typeof readImages>>) {
  const tensors = await engine.debugForward(conversationAt(args, images, []))
  const file = args.dump!
  try {
    await writeFile(file, writeSafetensors(Object.entries(tensors).map(f32Tensor)))
  } catch (error) {
    throw new CheckpointError(`dump: ${file} cannot be written (${(error as Error).message})`)
  }
}

function f32Tensor([name, { shape, data }]: [string, DebugTensors[string]]): TensorData {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return { name, dtype: 'F32', shape, data: bytes }
}

/** The model, the base it may need, and how repositories that it refers to are found. */
async function findModels(args: { model: string; repos: string | undefined; base: string | undefined }) {
  const options = { repos: args.repos, bundled: bundledFolder(), env: process.env }
  return {
    model: await resolveModel(args.model, options),
    base: args.base === undefined ? undefined : await resolveModel(args.base, options),
    resolve: repositoryResolver(options),
  }
}

function loadOptionsOf({
  template,
  memoryBytes,
}: {
  template: string | undefined
  memoryBytes: number | undefined
}) {
  return {
    ...(template !== undefined && { template }),
    ...(memoryBytes !== undefined && { memoryBytes }),
  }
}

function throwIfUnfit(report: DeviceReport): void {
  if (report.ok) return
  const problem = report.problem ?? {
    name: 'UnsupportedDeviceError',
    message: 'info: the device cannot be used',
  }
  const error = new UnsupportedDeviceError(problem.message)
  throw Object.defineProperty(error, 'name', { value: problem.name })
}

/** The first Ctrl+C ends loading or the reply and says what was done so far; the second ends the process. */
function watchInterrupt(engine: Engine): () => boolean {
  let seen = false
  process.on('SIGINT', () => {
    if (seen) process.exit(INTERRUPTED)
    seen = true
    void engine.cancelLoad()
    void engine.abort()
  })
  return () => seen
}

/** Loading as a line that overwrites itself; nothing where stderr is no terminal. */
class ProgressLine {
  private isShown = false
  private readonly isTerminal = process.stderr.isTTY || process.env.TRILOBITE_STDERR_IS_TERMINAL === '1'

  show(progress: LoadProgress): void {
    this.write(formatProgress(progress))
  }

  write(line: string): void {
    if (this.isTerminal) process.stderr.write(`\r\x1b[K${line}`)
    this.isShown = true
  }

  clear(): void {
    if (!this.isShown) return
    this.isShown = false
    if (this.isTerminal) process.stderr.write('\r\x1b[K')
  }
}

function statsLine(reply: Reply): string {
  const { tokenIds, tokensPerSecond, prefillMs, promptTokens, imageTokens, reusedTokens, finish } = reply
  const reused = reusedTokens > 0 ? `, ${reusedTokens} reused` : ''
  return (
    `[${tokenIds.length} tokens, ${tokensPerSecond.toFixed(1)} tokens/s, first after ${(prefillMs / 1e3).toFixed(2)} s; ` +
    `prompt ${promptTokens} tokens, ${imageTokens} of them images${reused}; ended by ${finish}]`
  )
}

function json(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

function version(): string {
  const file = readFileSync(join(packageRoot(), 'package.json'), 'utf8')
  return (JSON.parse(file) as { version: string }).version
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader went away (`trilobite ... | head`): nobody is left to tell.
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

// Dawn's threads would keep the process alive: every way out is an explicit exit.
main(process.argv.slice(2)).then(
  () => process.exit(0),
  async (error: unknown) => {
    await print(`${errorLine(error)}\n`, process.stderr).catch(() => {})
    process.exit(error instanceof AbortError ? INTERRUPTED : 1)
  },
)
