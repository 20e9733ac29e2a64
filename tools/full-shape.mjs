// A checkpoint with exactly the shapes of llava-hf/llava-interleave-qwen-0.5b-hf and random weights: does a model of that
// size load and answer, and at what cost?
//
//   node tools/full-shape.mjs write [DIR]                                    1.73 GB into .cache/full-shape
//   node tools/full-shape.mjs measure [DIR] [--dtype f16|q4|q8|f32] [--adapter A] [--image FILE | --text] [--record]
//
// --text    asks without a picture, which takes software adapters seconds in place of many minutes
// --record  puts the result into docs/benchmarks.md

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { askArguments, measure } from './full-shape/measure.mjs'
import { recordRow } from './full-shape/record.mjs'
import { writeCheckpoint } from './full-shape/write.mjs'

const root = resolve(fileURLToPath(new URL('..', import.meta.url)))
const mb = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(0)
const seconds = (/** @type {number} */ ms) => (ms / 1e3).toFixed(1)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dtype: { type: 'string', default: 'f16' },
    adapter: { type: 'string', default: 'lavapipe' },
    image: { type: 'string', default: join(root, 'e2e/samples/01-photo.jpg') },
    text: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
  },
})
const [command, folder = join(root, '.cache/full-shape')] = positionals
if (command === 'write') write()
else if (command === 'measure') await run()
else {
  console.error('full-shape: expected "write" or "measure"; the head of tools/full-shape.mjs tells more')
  process.exit(1)
}

function write() {
  const started = performance.now()
  const { parameters, bytes } = writeCheckpoint(folder)
  const ms = performance.now() - started
  console.log(`${folder}: ${parameters.toLocaleString('en')} parameters, ${mb(bytes)} MB in ${seconds(ms)} s`)
}

/** @param {string} folder */
function weightBytes(folder) {
  const index = JSON.parse(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8'))
  return index.metadata.total_size
}

async function run() {
  if (!existsSync(join(folder, 'config.json'))) write()
  const { dtype, adapter, text } = values
  const image = text ? undefined : values.image
  const options = { model: folder, image, dtype, adapter }
  const { report, phases, hostGrowthBytes, residentGrowthBytes, sharedPeakBytes, wallMs } =
    await measure(options)
  const turn = report.turns[0]
  const phase = (/** @type {string} */ name) => phases.find((entry) => entry.name === name)
  const loadMs = phase('weights')?.ms ?? NaN
  const bytes = weightBytes(folder)
  const result = {
    adapter: report.adapter,
    dtype: report.dtype,
    loadSeconds: loadMs / 1e3,
    loadMBps: bytes / 1e3 / loadMs,
    compileSeconds: (phase('compile')?.ms ?? NaN) / 1e3,
    hostGrowthMB: hostGrowthBytes / 1e6,
    residentGrowthMB: residentGrowthBytes / 1e6,
    sharedPeakMB: sharedPeakBytes / 1e6,
    gpuMB: report.memory.gpuBytes / 1e6,
    promptTokens: turn.promptTokens,
    imageTokens: turn.imageTokens,
    prefillSeconds: turn.prefillMs / 1e3,
    decodeMsPerToken: 1e3 / turn.tokensPerSecond,
    tokens: turn.tokenIds.length,
    wallSeconds: wallMs / 1e3,
    phases,
  }
  console.log(JSON.stringify(result, null, 2))
  console.log(
    `command: npm run --silent trilobite -- ${askArguments({ ...options, model: 'DIR', image: image && 'FILE' }).join(' ')}`,
  )
  if (!values.record) return
  const header = [
    'held as',
    'adapter',
    'prompt tokens',
    'date',
    'load MB/s',
    'host growth MB',
    'GPU MB',
    'first token s',
    'ms a token',
    'CPU s of the answer',
  ]
  const row = [
    report.dtype,
    report.adapter,
    turn.imageTokens ? `${turn.promptTokens} (${turn.imageTokens} of the picture)` : `${turn.promptTokens}`,
    new Date().toISOString().slice(0, 10),
    result.loadMBps.toFixed(0),
    result.hostGrowthMB.toFixed(0),
    result.gpuMB.toFixed(0),
    result.prefillSeconds.toFixed(1),
    result.decodeMsPerToken.toFixed(0),
    seconds(phase('answer')?.cpuMs ?? NaN),
  ]
  recordRow(join(root, 'docs/benchmarks.md'), 'full-shape', header, row, 3)
}
