// Checkpoints of published shapes and random weights: does a model of that size load and answer, and at what cost?
//
//   node tools/full-shape.mjs write [DIR] [--model M]
//   node tools/full-shape.mjs measure [DIR] [--model M] [--dtype f16|q4|q8|f32] [--adapter A] [--image FILE | --text]
//                                     [--memory GB] [--record]
//   node tools/full-shape.mjs parts [DIR] [--model M] [--dtype D] [--adapter A] [--image FILE] [--memory GB] [--tokens N]
//                                   [--repeat] [--kernels] [--record]
//
// M is one of
//   llava-interleave-qwen-0.5b   (default) exactly the shapes of llava-hf/llava-interleave-qwen-0.5b-hf; 1.73 GB
//   cambrian-phi3-3b             nyu-visionx/cambrian-phi3-3b and its four towers: all widths and resolutions, two layers
//                                of each kind; 3.57 GB
//
// write    into DIR, by default a folder in .cache
// measure  one answer of the command line, watched from outside
// parts    one answer in the engine, timed from inside part by part: every tower, the connector, prompt and reply
//
// --text     asks without a picture, which takes software adapters seconds in place of many minutes
// --memory   GB of GPU memory the model may take; towers beyond that are fetched for each question
// --repeat   asks twice, the picture being encoded anew, and fails unless both answers are the same
// --kernels  times every kernel by itself
// --record   puts the result into docs/benchmarks.md

import { existsSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { askArguments, measure, planOf } from './full-shape/measure.mjs'
import { MODELS } from './full-shape/models.mjs'
import { firstAnswer, measureParts, partRows } from './full-shape/parts.mjs'
import { recordRow, recordTable } from './full-shape/record.mjs'
import { writeModel } from './full-shape/write.mjs'

const root = resolve(fileURLToPath(new URL('..', import.meta.url)))
const docs = join(root, 'docs/benchmarks.md')
const mb = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(0)
const seconds = (/** @type {number} */ ms) => (ms / 1e3).toFixed(1)
const today = () => new Date().toISOString().slice(0, 10)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'llava-interleave-qwen-0.5b' },
    dtype: { type: 'string' },
    adapter: { type: 'string', default: 'lavapipe' },
    image: { type: 'string', default: join(root, 'e2e/samples/01-photo.jpg') },
    memory: { type: 'string' },
    tokens: { type: 'string', default: '16' },
    text: { type: 'boolean', default: false },
    repeat: { type: 'boolean', default: false },
    kernels: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
  },
})
const chosen = MODELS[values.model] ?? fail(`--model should be one of ${Object.keys(MODELS).join(', ')}`)
const [command, given] = positionals
const folder = given ?? join(root, '.cache', chosen.folder)
const options = {
  model: join(folder, chosen.checkpoint),
  repos: chosen.repos && join(folder, chosen.repos),
  image: values.text ? undefined : values.image,
  dtype: values.dtype ?? chosen.dtype,
  adapter: values.adapter,
  memory: values.memory,
  tokens: Number(values.tokens),
}
if (command === 'write') write()
else if (command === 'measure') await run()
else if (command === 'parts') await parts()
else fail('expected "write", "measure" or "parts"; the head of tools/full-shape.mjs tells more')

function write() {
  const started = performance.now()
  const { parameters, bytes } = writeModel(folder, chosen.repositories())
  const ms = performance.now() - started
  console.log(`${folder}: ${parameters.toLocaleString('en')} parameters, ${mb(bytes)} MB in ${seconds(ms)} s`)
}

async function run() {
  if (!existsSync(join(options.model, 'config.json'))) write()
  const plan = await planOf(options)
  const { report, phases, hostGrowthBytes, residentGrowthBytes, sharedPeakBytes, wallMs } =
    await measure(options)
  const turn = report.turns[0]
  const phase = (/** @type {string} */ name) => phases.find((entry) => entry.name === name)
  const loadMs = phase('weights')?.ms ?? NaN
  const fetched = plan.towers.filter((/** @type {any} */ tower) => !tower.resident)
  const loadedBytes =
    plan.downloadBytes -
    fetched.reduce((/** @type {number} */ sum, /** @type {any} */ t) => sum + t.fileBytes, 0)
  const result = {
    adapter: report.adapter,
    dtype: report.dtype,
    loadSeconds: loadMs / 1e3,
    loadMBps: loadedBytes / 1e3 / loadMs,
    compileSeconds: (phase('compile')?.ms ?? NaN) / 1e3,
    hostGrowthMB: hostGrowthBytes / 1e6,
    hostPeakMB: report.memory.peakHostBytes / 1e6,
    residentGrowthMB: residentGrowthBytes / 1e6,
    sharedPeakMB: sharedPeakBytes / 1e6,
    plannedMB: plan.gpuBytes.total / 1e6,
    gpuMB: report.memory.gpuBytes / 1e6,
    gpuPeakMB: report.memory.gpuPeakBytes / 1e6,
    towersFetched: fetched.length,
    promptTokens: turn.promptTokens,
    imageTokens: turn.imageTokens,
    prefillSeconds: turn.prefillMs / 1e3,
    decodeMsPerToken: 1e3 / turn.tokensPerSecond,
    tokens: turn.tokenIds.length,
    wallSeconds: wallMs / 1e3,
    loadAverage: loadavg(),
    phases,
  }
  console.log(JSON.stringify(result, null, 2))
  const shown = { ...options, model: 'DIR', repos: options.repos && 'DIR', image: options.image && 'FILE' }
  console.log(`command: npm run --silent trilobite -- ${askArguments(shown).join(' ')}`)
  if (!values.record) return
  const manyTowers = plan.towers.length > 1
  const header = [
    'held as',
    'adapter',
    'prompt tokens',
    ...(manyTowers ? ['towers'] : []),
    'date',
    'load MB/s',
    'host growth MB',
    ...(manyTowers ? ['GPU MB planned', 'peak GPU MB'] : ['GPU MB']),
    'first token s',
    'ms a token',
    'CPU s of the answer',
  ]
  const row = [
    report.dtype,
    report.adapter,
    turn.imageTokens ? `${turn.promptTokens} (${turn.imageTokens} of the picture)` : `${turn.promptTokens}`,
    ...(manyTowers ? [fetched.length ? `${fetched.length} fetched for the picture` : 'stay'] : []),
    today(),
    result.loadMBps.toFixed(0),
    result.hostGrowthMB.toFixed(0),
    ...(manyTowers ? [result.plannedMB, result.gpuPeakMB] : [result.gpuMB]).map((size) => size.toFixed(0)),
    result.prefillSeconds.toFixed(1),
    result.decodeMsPerToken.toFixed(0),
    seconds(phase('answer')?.cpuMs ?? NaN),
  ]
  recordRow(docs, chosen.table, header, row, manyTowers ? 4 : 3)
}

async function parts() {
  if (!existsSync(join(options.model, 'config.json'))) write()
  const result = await measureParts({ ...options, repeat: values.repeat, kernels: values.kernels })
  console.log(JSON.stringify(result, null, 2))
  const wrong = result.checks.filter((/** @type {any} */ check) => !check.isFinite)
  if (wrong.length) fail(`expected finite values, got others in ${JSON.stringify(wrong)}`)
  const [first, ...others] = result.answers.map((/** @type {any} */ { tokenIds }) => tokenIds.join(' '))
  if (others.some((/** @type {string} */ ids) => ids !== first)) fail('expected the same answer twice')
  if (!values.record) return
  const limit = values.memory === undefined ? '' : ` --memory ${values.memory}`
  const peakBytes = Math.max(...firstAnswer(result.parts).map(({ gpuPeakBytes }) => gpuPeakBytes))
  const caption =
    `${today()}, ${result.adapter}, load average ${loadavg()[0]?.toFixed(1)} at the end, \`node tools/full-shape.mjs parts ` +
    `DIR --model ${values.model} --dtype ${result.dtype}${limit}\`. Peak ${mb(peakBytes)} MB of GPU buffers, ` +
    `${mb(result.plan.gpuBytes.total)} MB planned; ${mb(result.hostPeakBytes)} MB of the host's own memory at most.`
  recordTable(docs, `${chosen.table}-parts`, caption, ...partRows(result))
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`full-shape: ${message}`)
  process.exit(1)
}
