// Our side of a benchmark in a process of its own: reads one JSON command a line from stdin, answers with one JSON line.

import { createInterface } from 'node:readline'
import { openNodeGpu, type AdapterChoice } from '../../src/cli/device'
import type { Preset } from '../presets.mjs'
import { createInference, openAnswering, type Command } from './answer'
import type { Bench, Subject } from './subject'
import { trainLayerSubject } from './train-layer-subject'
import { trainRunSubject } from './train-run-subject'

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e3
}

function create(bench: Bench, preset: Preset): Promise<Subject> {
  if (preset.kind === 'train-run') return trainRunSubject(bench, preset)
  if (preset.kind === 'train-layer') return trainLayerSubject(bench, preset)
  return createInference(bench, preset)
}

const answer = await openAnswering(await openNodeGpu(process.argv[2] as AdapterChoice), { cpuMs, create })
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line) as Command)))
}
process.exit(0)
