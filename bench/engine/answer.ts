import { Arena, Encoder, openGpu } from '../../src/kernels'
import type { InferencePreset, Preset } from '../presets.mjs'
import { attentionSubject } from './attention-subject'
import { decoderSubject } from './decoder-subject'
import { measureLimits } from './limits'
import { matmulSubject } from './matmul-subject'
import { countDispatches, profile } from './profile'
import type { Bench, Subject } from './subject'
import { svaSubject } from './sva-subject'
import { visionSubject } from './vision-subject'

/**
 *   {"do":"limits"}                  -> {copyGBps, gflops}
 *   {"do":"prepare","preset":{...}}  -> {adapter, error, allowed, dispatches, firstMs}
 *   {"do":"measure","units":N}       -> {ms, cpuMs, peakBytes} for N units
 *   {"do":"profile"}                 -> {kernels} of one unit, slowest first
 */
export type Command =
  { do: 'limits' } | { do: 'prepare'; preset: Preset } | { do: 'measure'; units: number } | { do: 'profile' }

export interface Answering {
  readonly cpuMs: () => number
  /** Sets a preset up. */
  readonly create: (bench: Bench, preset: Preset) => Promise<Subject>
}

/** Subjects that need neither files nor a process. */
export function createInference(bench: Bench, preset: InferencePreset): Promise<Subject> {
  switch (preset.kind) {
    case 'matmul':
      return matmulSubject(bench, preset)
    case 'attention':
      return attentionSubject(bench, preset)
    case 'sva':
      return svaSubject(bench, preset)
    case 'decoder':
      return decoderSubject(bench, preset)
    case 'vision':
      return visionSubject(bench, preset)
  }
}

/** Our side of a benchmark on one device. Returns: what answers its commands; a failure is an answer too. */
export async function openAnswering(
  webgpu: GPU | undefined,
  { cpuMs, create }: Answering,
): Promise<(command: Command) => Promise<object>> {
  const gpu = await openGpu(webgpu)
  const arena = new Arena(gpu)
  const bench: Bench = { gpu, arena, enc: new Encoder(gpu, arena, 'bench'), cpuMs }
  let subject: Subject | undefined

  async function prepare(preset: Preset): Promise<object> {
    const prepared = (subject = await create(bench, preset))
    const check = await prepared.check()
    // What loading and checking needed for a moment is no part of a unit.
    gpu.peakBytes = gpu.allocatedBytes
    const started = performance.now()
    const recorded = await countDispatches(() => prepared.run(1))
    const firstMs = performance.now() - started
    return {
      adapter: gpu.adapter.description,
      isSoftware: gpu.caps.isSoftware,
      f16: gpu.caps.shaderF16,
      maxBindingBytes: gpu.caps.maxBindingBytes,
      ...check,
      dispatches: prepared.dispatches?.() ?? recorded,
      firstMs,
    }
  }

  async function answer(command: Command): Promise<object> {
    if (command.do === 'limits') return measureLimits(bench)
    if (command.do === 'prepare') return prepare(command.preset)
    const prepared = subject
    if (!prepared) throw new Error(`bench: ${command.do} came before prepare`)
    if (command.do === 'profile') return { kernels: await profile(bench, () => prepared.run(1)) }
    const [started, cpuStarted] = [performance.now(), cpuMs()]
    await prepared.run(command.units)
    return { ms: performance.now() - started, cpuMs: cpuMs() - cpuStarted, peakBytes: gpu.peakBytes }
  }

  return (command) => answer(command).catch((error: Error) => ({ failed: `${error.name}: ${error.message}` }))
}
