// Fetches a model's weights to nowhere and to the GPU, in turns; prints one line of JSON.
//
//   node dist/load-speed/main.js '{"url": URL, "dtype": "f16", "adapter": "lavapipe", "rounds": 5, "hash": true}'

import { createEngine } from '../../src/cli/engine'
import type { AdapterChoice } from '../../src/cli/device'
import { startHashInThread } from '../../src/cli/hash-threads'
import { httpSource } from '../../src/model/checkpoint/http-source'
import { openSteps, type StepOptions } from './steps'

interface Options extends StepOptions {
  readonly adapter: AdapterChoice
  readonly rounds: number
}

const options = JSON.parse(process.argv[2]!) as Options
const { url, dtype, rounds } = options
const engine = await createEngine(options.adapter)
const report = await engine.probe()
if (!report.ok) throw new Error(report.problem?.message)

const started = performance.now()
await engine.loadFrom(httpSource(url), { dtype, contextLength: 512 }, () => undefined)
const loadMs = performance.now() - started
const messages = [{ role: 'user' as const, text: 'What is this?' }]
const sampling = { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 }
const { tokenIds } = await engine.ask({ messages, sampling, maxNewTokens: 1 }, () => undefined)
const firstTokenMs = performance.now() - started

const { gpu } = engine.loaded!.vlm
await engine.unload()
const steps = await openSteps(gpu, startHashInThread, options)

async function timed(run: () => Promise<number>): Promise<{ mbps: number; cpuMs: number }> {
  const started = performance.now()
  const cpu = process.cpuUsage()
  const bytes = await run()
  const ms = performance.now() - started
  const { user, system } = process.cpuUsage(cpu)
  return { mbps: bytes / 1e3 / ms, cpuMs: (user + system) / 1e3 }
}

const fetched = []
const loaded = []
for (let round = 0; round < rounds; round++) {
  fetched.push(await timed(steps.fetch))
  loaded.push(await timed(steps.load))
}
const adapter = report.adapter.description
console.log(JSON.stringify({ adapter, loadMs, firstTokenMs, firstTokenId: tokenIds[0], fetched, loaded }))
await engine.close()
process.exit()
