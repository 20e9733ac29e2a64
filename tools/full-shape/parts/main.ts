// One picture and one answer through the engine, part by part; prints one line of JSON.
//
//   node dist/full-shape/parts.js '{"model": DIR, "repos": DIR, "image": FILE, "dtype": "q4", "adapter": "lavapipe", ...}'

import { DiskSource } from '../../../src/cli/disk-source'
import { createEngine } from '../../../src/cli/engine'
import { readImages } from '../../../src/cli/ask'
import type { AdapterChoice } from '../../../src/cli/device'
import { HostMemoryMeter } from '../../../src/cli/host-memory'
import type { WeightDtype } from '../../../src/worker/api'
import { PartClock } from './part-clock'
import { SubmitLog } from './submits'

interface Options {
  readonly model: string
  readonly repos: string
  readonly image: string
  readonly dtype: WeightDtype
  readonly adapter: AdapterChoice
  readonly tokens: number
  readonly memoryBytes?: number
  /** Answer about the same picture again, as if it were another. */
  readonly repeat: boolean
  /** Time every kernel by itself. */
  readonly kernels: boolean
}

const options = JSON.parse(process.argv[2]!) as Options
const say = (text: string) => process.stderr.write(`${text}\n`)

const engine = await createEngine(options.adapter, (repo) => new DiskSource(`${options.repos}/${repo}`))
const report = await engine.probe()
if (!report.ok) throw new Error(report.problem?.message)
const meter = new HostMemoryMeter()
const { dtype, memoryBytes } = options
const clock = new PartClock(say)
clock.begin('load: config')
const info = await engine.loadFrom(
  new DiskSource(options.model),
  { dtype, ...(memoryBytes !== undefined && { memoryBytes }) },
  (progress) => {
    if (progress.phase === 'weights') clock.begin('load: weights', progress.totalBytes)
    else if (progress.phase === 'compile') clock.begin('load: compile')
  },
)
const model = engine.loaded!
clock.watch(model)
const log = new SubmitLog(model.vlm.gpu, options.kernels)
const [picture] = await readImages([options.image])
const answers = []
for (let run = 0; run < (options.repeat ? 2 : 1); run++) {
  clock.begin('picture: preprocess')
  answers.push(
    await engine.ask(
      {
        messages: [
          { role: 'user', text: 'What is this?', images: [{ ...picture!, id: `${picture!.id} ${run}` }] },
        ],
        sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 },
        maxNewTokens: options.tokens,
      },
      (event) => {
        if (event.type === 'notice') say(`notice: ${event.message}`)
        else if (event.type === 'prefill') clock.begin('prefill')
        else if (event.type === 'token' && event.index === 0) clock.begin('decode')
      },
    ),
  )
  clock.end()
}
meter.stop()
const submits = await log.longest()
const checks = await clock.finish()
const { plan } = model
console.log(
  JSON.stringify({
    adapter: report.adapter.description,
    dtype: info.dtype,
    plan: { gpuBytes: plan.gpuBytes, towers: plan.towers },
    hostPeakBytes: meter.peakBytes,
    weightBytes: info.gpuBytes,
    parts: clock.parts,
    checks,
    answers: answers.map(({ tokenIds, promptTokens, imageTokens, prefillMs, decodeMs }) => ({
      tokenIds,
      promptTokens,
      imageTokens,
      prefillMs,
      decodeMs,
    })),
    submits: { count: submits.length, longest: submits.slice(0, 12) },
    ...(options.kernels && { kernels: byKernel(submits) }),
  }),
)
process.exit(0)

/** Time of each kernel, all its dispatches together. */
function byKernel(submits: Awaited<ReturnType<SubmitLog['longest']>>) {
  const sums = new Map<
    string,
    { kernel: string; dispatches: number; ms: number; longestMs: number; flops: number }
  >()
  for (const { label, ms, flops } of submits) {
    const sum = sums.get(label) ?? { kernel: label, dispatches: 0, ms: 0, longestMs: ms, flops: 0 }
    sums.set(label, sum)
    sum.dispatches++
    sum.ms += ms
    sum.flops += flops
  }
  return [...sums.values()].sort((a, b) => b.ms - a.ms).slice(0, 30)
}
