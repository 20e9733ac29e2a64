import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSafetensors, type TensorData } from '../model/checkpoint/safetensors-writer'
import { AbortError, CheckpointError } from '../model/errors'
import type { Reply } from '../worker/api'
import type { DebugTensors, Engine } from '../worker/engine'
import { parseCommandLine, type AskArgs, type InfoArgs, type PlanArgs } from './args'
import { askAll, conversationAt, readImages, type AskReport, type ServerReport } from './ask'
import { bench } from './bench'
import { useConnector } from './connector'
import { createEngine, planModel } from './engine'
import { openEndpoint } from './endpoint'
import { errorLine } from './errors'
import { gradcheck } from './gradcheck'
import { HELP } from './help'
import { HostMemoryMeter } from './host-memory'
import { Interrupt, INTERRUPTED } from './interrupt'
import { packageRoot } from './model-source'
import { findModels, loadOptionsOf, openModel, throwIfUnfit } from './open-model'
import { adapterName, formatPlan, formatTower, formatReport, json, print } from './output'
import { ProgressLine } from './progress-line'
import { train } from './train'
import { tune } from './tune'

/** Returns: the exit status; nothing for 0. */
async function main(argv: string[]): Promise<number | void> {
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
      return args.endpoint === undefined ? ask(args) : askServer(args, args.endpoint)
    case 'train':
      return train(args)
    case 'gradcheck':
      return gradcheck(args)
    case 'bench':
      return bench(args)
    case 'tune':
      return tune(args)
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
  const result = await planModel(engine, model, loadOptionsOf(args), base)
  await print(args.json ? json(result) : formatPlan(result))
}

async function ask(args: AskArgs): Promise<void> {
  const images = await readImages(args.images)
  const interrupt = Interrupt.watch()
  const progress = new ProgressLine()
  const meter = new HostMemoryMeter()
  const { engine, report, loaded } = await openModel('ask', args, interrupt, progress)
  interrupt.on(() => void engine.abort())
  if (args.connector !== undefined) {
    const { name, parameters } = await useConnector(engine, args.connector)
    progress.note(`note: through the connector ${name} (${parameters.toLocaleString('en')} parameters)`)
  }

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
        progress.note(`note: ${event.message}`)
      } else if (event.type === 'tower') {
        progress.show(formatTower(event))
      } else if (event.type === 'restart') {
        if (!args.json) process.stdout.write('\n')
        progress.note('note: the GPU was lost, and the answer begins again')
      } else {
        progress.clear()
      }
    },
  )
  meter.stop()
  if (aborted || interrupt.seen) throw new AbortError('ask: stopped before the reply was complete')
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

/** `ask` of a model on a server: no GPU is opened. */
async function askServer(args: AskArgs, baseUrl: string): Promise<void> {
  const images = await readImages(args.images)
  const interrupt = Interrupt.watch()
  const model = await openEndpoint({ baseUrl, model: args.model }, process.env, interrupt.signal)
  interrupt.on(() => model.abort())
  const progress = new ProgressLine()
  for (const note of model.info.notes) progress.note(`note: ${note}`)
  const { turns, aborted } = await askAll(
    model,
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
      if (event.type === 'notice') progress.note(`note: ${event.message}`)
    },
  )
  if (aborted) throw new AbortError('ask: stopped before the reply was complete')
  const result: ServerReport = { model: model.info.model, server: model.info.server!, turns }
  if (args.json) await print(json(result))
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

function statsLine(reply: Reply): string {
  const { generatedTokens, tokensPerSecond, prefillMs, promptTokens, imageTokens, reusedTokens, finish } =
    reply
  const reused = reusedTokens ? `, ${reusedTokens} reused` : ''
  // A server need not tell what it counted.
  const said = [
    ...(generatedTokens === undefined ? [] : [`${generatedTokens} tokens`]),
    ...(tokensPerSecond > 0 ? [`${tokensPerSecond.toFixed(1)} tokens/s`] : []),
    `first after ${(prefillMs / 1e3).toFixed(2)} s`,
  ]
  const ofImages = imageTokens === undefined ? '' : `, ${imageTokens} of them images`
  const prompt = promptTokens === undefined ? '' : `; prompt ${promptTokens} tokens${ofImages}${reused}`
  return `[${said.join(', ')}${prompt}; ended by ${finish}]`
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

// The launcher was killed: nobody would end a training that goes on alone, and another may begin in the same folder.
process.on('disconnect', () => process.exit(INTERRUPTED))

// Dawn's threads would keep the process alive: every way out is an explicit exit.
main(process.argv.slice(2)).then(
  (status) => process.exit(status ?? 0),
  async (error: unknown) => {
    await print(`${errorLine(error)}\n`, process.stderr).catch(() => {})
    process.exit(error instanceof AbortError ? INTERRUPTED : 1)
  },
)
