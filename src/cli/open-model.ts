import { UnsupportedDeviceError } from '../kernels/errors'
import { AbortError } from '../model/errors'
import type { DeviceReport, LoadOptions, LocalModelInfo, WeightDtype } from '../worker/api'
import type { Engine, EngineHost } from '../worker/engine'
import { createEngine, loadModel, repositoryResolver } from './engine'
import type { Interrupt } from './interrupt'
import { bundledFolder, resolveModel } from './model-source'
import type { CommonArgs, ModelArgs } from './options'
import { formatProgress } from './output'
import type { ProgressLine } from './progress-line'

/** The model, the base it may need, and how repositories that it refers to are found. */
export async function findModels({ model, base, repos }: Pick<ModelArgs, 'model' | 'base' | 'repos'>) {
  const options = { repos, bundled: bundledFolder(), env: process.env }
  return {
    model: await resolveModel(model, options),
    base: base === undefined ? undefined : await resolveModel(base, options),
    resolve: repositoryResolver(options),
  }
}

/** How the engine should load what was asked for. */
export function loadOptionsOf(args: {
  dtype: WeightDtype
  template?: string | undefined
  memoryBytes: number | undefined
}): LoadOptions {
  const { dtype, template, memoryBytes } = args
  return {
    dtype,
    ...(template !== undefined && { template }),
    ...(memoryBytes !== undefined && { memoryBytes }),
  }
}

/**
 * An engine with the model loaded.
 *
 * Throws: UnsupportedDeviceError; what loading throws; AbortError after Ctrl+C.
 */
export async function openModel(
  command: string,
  args: Pick<CommonArgs, 'adapter'> & Omit<ModelArgs, 'template'> & { template?: string | undefined },
  interrupt: Interrupt,
  progress: ProgressLine,
  host: Pick<EngineHost, 'runs' | 'featureStore' | 'lockRun'> = {},
): Promise<{ engine: Engine; report: DeviceReport; loaded: LocalModelInfo }> {
  const { model, base, resolve } = await findModels(args)
  const engine = await createEngine(args.adapter, resolve, host)
  interrupt.on(() => void engine.cancelLoad())
  const report = await engine.probe()
  throwIfUnfit(report)
  const loaded = await loadModel(
    engine,
    model,
    loadOptionsOf(args),
    (event) => progress.show(formatProgress(event)),
    base,
  )
  progress.clear()
  for (const note of loaded.notes) progress.note(`note: ${note}`)
  if (interrupt.seen) throw new AbortError(`${command}: stopped while the model was loading`)
  return { engine, report, loaded }
}

/** Throws: the report's problem. */
export function throwIfUnfit(report: DeviceReport): void {
  if (report.ok) return
  const problem = report.problem ?? {
    name: 'UnsupportedDeviceError',
    message: 'info: the device cannot be used',
  }
  const error = new UnsupportedDeviceError(problem.message)
  throw Object.defineProperty(error, 'name', { value: problem.name })
}
