// Our side of a benchmark, in a process of its own: reads one JSON command a line from stdin, answers with one JSON line.
//
//   {"do":"limits"}                  -> {copyGBps, gflops}
//   {"do":"prepare","preset":{...}}  -> {adapter, error, allowed, dispatches, firstMs}
//   {"do":"measure","units":N}       -> {ms, cpuMs, peakBytes} for N units
//   {"do":"profile"}                 -> {kernels} of one unit, slowest first

import { createInterface } from 'node:readline'
import { openNodeGpu, type AdapterChoice } from '../../src/cli/device'
import { Arena, Encoder, openGpu } from '../../src/kernels'
import type { Preset } from '../presets.mjs'
import { attentionSubject } from './attention-subject'
import { decoderSubject } from './decoder-subject'
import { measureLimits } from './limits'
import { matmulSubject } from './matmul-subject'
import { countDispatches, cpuMs, profile } from './profile'
import type { Bench, Subject } from './subject'
import { trainLayerSubject } from './train-layer-subject'
import { trainRunSubject } from './train-run-subject'
import { visionSubject } from './vision-subject'

type Command =
  { do: 'limits' } | { do: 'prepare'; preset: Preset } | { do: 'measure'; units: number } | { do: 'profile' }

const gpu = await openGpu(await openNodeGpu(process.argv[2] as AdapterChoice))
const arena = new Arena(gpu)
const enc = new Encoder(gpu, arena, 'bench')
const bench: Bench = { gpu, arena, enc }
let subject: Subject | undefined

function create(preset: Preset): Promise<Subject> {
  switch (preset.kind) {
    case 'matmul':
      return matmulSubject(bench, preset)
    case 'attention':
      return attentionSubject(bench, preset)
    case 'decoder':
      return decoderSubject(bench, preset)
    case 'vision':
      return visionSubject(bench, preset)
    case 'train-run':
      return trainRunSubject(bench, preset)
    case 'train-layer':
      return trainLayerSubject(bench, preset)
  }
}

async function answer(command: Command): Promise<object> {
  if (command.do === 'limits') return measureLimits(bench)
  if (command.do === 'prepare') {
    subject = await create(command.preset)
    const check = await subject.check()
    // What loading and checking needed for a moment is no part of a unit.
    gpu.peakBytes = gpu.allocatedBytes
    const started = performance.now()
    const recorded = await countDispatches(() => subject!.run(1))
    const firstMs = performance.now() - started
    return {
      adapter: gpu.adapter.description,
      isSoftware: gpu.caps.isSoftware,
      f16: gpu.caps.shaderF16,
      maxBindingBytes: gpu.caps.maxBindingBytes,
      ...check,
      dispatches: subject.dispatches?.() ?? recorded,
      firstMs,
    }
  }
  if (!subject) throw new Error('bench: measure came before prepare')
  if (command.do === 'profile') return { kernels: await profile(gpu, () => subject!.run(1)) }
  const [started, cpuStarted] = [performance.now(), cpuMs()]
  await subject.run(command.units)
  return { ms: performance.now() - started, cpuMs: cpuMs() - cpuStarted, peakBytes: gpu.peakBytes }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify(await answer(JSON.parse(line) as Command)))
  } catch (error) {
    console.log(JSON.stringify({ failed: `${(error as Error).name}: ${(error as Error).message}` }))
  }
}
process.exit(0)
