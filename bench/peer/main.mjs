// The peer's side of a benchmark: ONNX Runtime's WebGPU provider in Node, in a process of its own. Reads one JSON command a
// line from stdin, answers with one JSON line; the commands are those of bench/engine/answer.ts.
//
//   {"do":"prepare","preset":{...},"device":{"f16":true,"maxBindingBytes":N}} -> {version, check, firstMs}
//   {"do":"measure","units":N}                                                -> {ms, cpuMs}
//
// Its fused attention gives wrong values on adapters with small subgroups, so that its results are looked at, never trusted.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { ensureGraph } from './graphs.mjs'
import { measure, prepare } from './subjects.mjs'

const folder = process.argv[2] ?? 'dist/bench/onnx'
const require = createRequire(import.meta.url)
const ort = require('onnxruntime-node')
const { version } = JSON.parse(
  readFileSync(join(dirname(require.resolve('onnxruntime-node')), '../package.json'), 'utf8'),
)

/** @type {import('./subjects.mjs').Subject | undefined} */
let subject

/** @param {string} name @param {string[]} onGpu */
const open = (name, onGpu = []) =>
  ort.InferenceSession.create(join(folder, `${name}.onnx`), {
    executionProviders: ['webgpu'],
    logSeverityLevel: 3,
    preferredOutputLocation: Object.fromEntries(onGpu.map((output) => [output, 'gpu-buffer'])),
  })

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e3
}

/** @param {any} command */
async function answer(command) {
  if (command.do === 'prepare') {
    const graph = ensureGraph(folder, command.preset, command.device)
    const prepared = await prepare({ ort, open }, command.preset, graph)
    subject = prepared.subject
    return { version: `onnxruntime-node ${version}`, check: prepared.check, firstMs: prepared.firstMs }
  }
  if (!subject) throw new Error('bench: measure came before prepare')
  return measure(subject, command.units, cpuMs)
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify(await answer(JSON.parse(line))))
  } catch (error) {
    console.log(
      JSON.stringify({ failed: String(error instanceof Error ? error.message : error).slice(0, 500) }),
    )
  }
}
process.exit(0)
