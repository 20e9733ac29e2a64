// Fetches a model's weights to nowhere and to the GPU, in turns; prints one line of JSON.
//
//   node dist/load-speed/main.js '{"url": URL, "dtype": "f16", "adapter": "lavapipe", "rounds": 5, "hash": true}'

import { createEngine } from '../../src/cli/engine'
import type { AdapterChoice } from '../../src/cli/device'
import { startHashInThread } from '../../src/cli/hash-threads'
import { Arena } from '../../src/kernels'
import { openModel } from '../../src/model/checkpoint-files'
import { httpSource } from '../../src/model/checkpoint/http-source'
import { AllocatedWeights } from '../../src/model/load-weights'
import type { ModelDtype } from '../../src/model/precision'

interface Options {
  readonly url: string
  readonly dtype: ModelDtype
  readonly adapter: AdapterChoice
  readonly rounds: number
  /** False takes hashes away, to tell their cost. */
  readonly hash: boolean
}

const { url, dtype, adapter, rounds, hash } = JSON.parse(process.argv[2]!) as Options
const engine = await createEngine(adapter)
const report = await engine.probe()
if (!report.ok) throw new Error(report.problem?.message)

const started = performance.now()
await engine.loadFrom(httpSource(url), { dtype, contextLength: 512 }, () => undefined)
const loadMs = performance.now() - started
const messages = [{ role: 'user' as const, text: 'What is this?' }]
const sampling = { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 }
await engine.ask({ messages, sampling, maxNewTokens: 1 }, () => undefined)
const firstTokenMs = performance.now() - started

const { gpu } = engine.loaded!.vlm
await engine.unload()
const opened = await openModel(httpSource(url))
const checkpoints = opened.checkpoints.map((checkpoint) => ({
  ...checkpoint,
  files: checkpoint.files.map((file) => ({ ...file, sha256: hash ? file.sha256 : undefined })),
}))
const paths = opened.checkpoints.flatMap(({ files }) => files.map(({ path }) => path))

/** Two at once, as the engine does. */
async function fetchAll(): Promise<number> {
  let bytes = 0
  const queue = paths.values()
  const fetchSome = async () => {
    for (const path of queue) {
      const { body } = await fetch(url + path)
      for await (const chunk of body!) bytes += chunk.byteLength
    }
  }
  await Promise.all([fetchSome(), fetchSome()])
  return bytes
}

async function load(): Promise<number> {
  const arena = new Arena(gpu)
  const { weights, stream } = await allocate()
  try {
    const { fetchedBytes, files } = await stream(arena)
    if (hash && files.some(({ sha256 }) => sha256 === undefined)) throw new Error('a file was not hashed')
    return fetchedBytes
  } finally {
    weights.destroy()
    arena.destroy()
  }
}

async function allocate() {
  const allocated = await AllocatedWeights.allocate(gpu, { ...opened, checkpoints }, dtype)
  return {
    weights: allocated.weights,
    stream: (arena: Arena) => allocated.stream(arena, { startHash: startHashInThread }),
  }
}

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
  fetched.push(await timed(fetchAll))
  loaded.push(await timed(load))
}
console.log(JSON.stringify({ adapter: report.adapter.description, loadMs, firstTokenMs, fetched, loaded }))
await engine.close()
process.exit()
