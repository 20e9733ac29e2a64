// Our side of a benchmark, in a process of its own: reads one JSON command a line from stdin, answers with one JSON line.
//
//   {"do":"limits"}                  -> {copyGBps, gflops}
//   {"do":"prepare","preset":{...}}  -> {adapter, error, allowed, dispatches, firstMs}
//   {"do":"measure","units":N}       -> {ms, cpuMs} for N units
//   {"do":"profile"}                 -> {kernels} of one unit, slowest first

import { createInterface } from 'node:readline'
import { openNodeGpu, type AdapterChoice } from '../../src/cli/device'
import { Arena, openGpu } from '../../src/kernels'
import type { Preset } from '../presets.mjs'
import { attentionSubject } from './attention-subject'
import { decoderSubject } from './decoder-subject'
import { measureLimits } from './limits'
import { matmulSubject } from './matmul-subject'
import { ProfilingEncoder } from './profiling-encoder'
import type { Bench, Subject } from './subject'
import { visionSubject } from './vision-subject'

type Command =
  { do: 'limits' } | { do: 'prepare'; preset: Preset } | { do: 'measure'; units: number } | { do: 'profile' }

const gpu = await openGpu(await openNodeGpu(process.argv[2] as AdapterChoice))
const arena = new Arena(gpu)
const enc = new ProfilingEncoder(gpu, arena, 'bench')
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
  }
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e3
}

async function answer(command: Command): Promise<object> {
  if (command.do === 'limits') return measureLimits(bench)
  if (command.do === 'prepare') {
    subject = await create(command.preset)
    const check = await subject.check()
    const started = performance.now()
    await subject.run(1)
    return {
      adapter: gpu.adapter.description,
      isSoftware: gpu.caps.isSoftware,
      f16: gpu.caps.shaderF16,
      maxBindingBytes: gpu.caps.maxBindingBytes,
      ...check,
      dispatches: subject.dispatches(),
      firstMs: performance.now() - started,
    }
  }
  if (!subject) throw new Error('bench: measure came before prepare')
  if (command.do === 'profile') return { kernels: await enc.profile(() => subject!.run(1)) }
  const [started, cpuStarted] = [performance.now(), cpuMs()]
  await subject.run(command.units)
  return { ms: performance.now() - started, cpuMs: cpuMs() - cpuStarted }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify(await answer(JSON.parse(line) as Command)))
  } catch (error) {
    console.log(JSON.stringify({ failed: `${(error as Error).name}: ${(error as Error).message}` }))
  }
}
process.exit(0)
