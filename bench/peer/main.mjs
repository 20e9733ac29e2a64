// The peer's side of a benchmark: ONNX Runtime's WebGPU provider in Node, in a process of its own. Reads one JSON command a
// line from stdin, answers with one JSON line; the commands are those of bench/engine/main.ts.
//
//   {"do":"prepare","preset":{...},"device":{"f16":true,"maxBindingBytes":N}} -> {version, check, firstMs}
//   {"do":"measure","units":N}                                                -> {ms, cpuMs}
//
// Its fused attention gives wrong values on adapters with small subgroups, so that its results are looked at, never trusted.

import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { elementOf, writeFence, writeGraph } from './graphs.mjs'
import { halfBits, halfValue } from './onnx.mjs'

const folder = process.argv[2] ?? 'dist/bench/onnx'
const require = createRequire(import.meta.url)
const ort = require('onnxruntime-node')
const version = JSON.parse(
  readFileSync(join(dirname(require.resolve('onnxruntime-node')), '../package.json'), 'utf8'),
).version

/** @typedef {{ run: (units: number) => Promise<void>, look: () => Promise<number[]> }} Subject  look: values of two runs */

/** @type {Subject | undefined} */
let subject
/** @type {() => Promise<void>} */
let fence = async () => {}

/** @param {string} name @param {string[]} onGpu  outputs that stay there */
const open = (name, onGpu = []) =>
  ort.InferenceSession.create(join(folder, `${name}.onnx`), {
    executionProviders: ['webgpu'],
    logSeverityLevel: 3,
    preferredOutputLocation: Object.fromEntries(onGpu.map((output) => [output, 'gpu-buffer'])),
  })

/** @param {import('../presets.mjs').Preset} preset @param {import('./graphs.mjs').Device} device */
async function prepare(preset, device) {
  mkdirSync(folder, { recursive: true })
  if (!existsSync(join(folder, 'fence.onnx'))) writeFence(join(folder, 'fence.onnx'))
  const held = preset.kind === 'attention' ? 'f16' : preset.held
  const element = elementOf(held, device)
  const shared = preset.kind === 'decoder' ? preset.name.replace(/^(decode|prompt)-/, '') : preset.name
  const name = `${shared}-${element}-${device.maxBindingBytes}`
  if (!existsSync(join(folder, `${name}.onnx`))) writeGraph(join(folder, `${name}.onnx`), preset, device)
  const waiting = await open('fence')
  fence = async () => {
    const { y } = await waiting.run({ x: new ort.Tensor('float32', new Float32Array([1]), [1]) })
    if (y.data[0] !== 2) throw new Error('fence: 1 + 1 is not 2')
  }
  subject = await subjects[preset.kind](name, element, /** @type {any} */ (preset))
  const first = await subject.look()
  const second = await subject.look()
  const started = performance.now()
  await subject.run(1)
  return { version, check: inspect(first, second), firstMs: performance.now() - started }
}

/** What a wrong engine often gets wrong without noticing. @param {number[]} first @param {number[]} second */
function inspect(first, second) {
  const finite = [...first, ...second].every(Number.isFinite)
  const varies = new Set(first.slice(0, 1000)).size > 1
  const dependsOnInput = first.some((value, i) => value !== second[i])
  return { ok: finite && varies && dependsOnInput, finite, varies, dependsOnInput }
}

let seed = 1
/** Uniform in -1 to 1. */
function uniform() {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return seed / 2 ** 31 - 1
}

/** @param {'f32' | 'f16'} element @param {number[]} dims */
function tensor(element, dims) {
  const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, uniform)
  return element === 'f32'
    ? new ort.Tensor('float32', values, dims)
    : new ort.Tensor('float16', Uint16Array.from(values, halfBits), dims)
}

/** @param {{ data: ArrayLike<number> }} tensor @returns {number[]} */
const numbers = ({ data }) =>
  data instanceof Float32Array
    ? Array.from(data)
    : Array.from(
        new Uint16Array(/** @type {any} */ (data).buffer, /** @type {any} */ (data).byteOffset, data.length),
        halfValue,
      )

const int32 = (/** @type {number} */ value, /** @type {number[]} */ dims) =>
  new ort.Tensor('int32', new Int32Array([value]), dims)

/** @param {Record<string, { dispose(): void }>} outputs */
const release = (outputs) => Object.values(outputs).forEach((output) => output.dispose())

/** @type {Record<string, (name: string, element: 'f32' | 'f16', preset: any) => Promise<Subject>>} */
const subjects = {
  async matmul(name, element, { M, K }) {
    const session = await open(name, ['y'])
    const feeds = { x: tensor(element, [1, M, K]) }
    const reading = await open(name)
    return {
      look: async () => numbers((await reading.run({ x: tensor(element, [1, M, K]) })).y),
      async run(units) {
        for (let i = 0; i < units; i++) release(await session.run(feeds))
        await fence()
      },
    }
  },

  async attention(name, element, { T, past, heads, kvHeads, headDim: D }) {
    const session = await open(name, ['y', 'key', 'value'])
    const reading = await open(name)
    const feeds = () => ({
      q: tensor(element, [1, T, heads * D]),
      k: tensor(element, [1, T, kvHeads * D]),
      v: tensor(element, [1, T, kvHeads * D]),
      past_key: tensor(element, [1, kvHeads, past, D]),
      past_value: tensor(element, [1, kvHeads, past, D]),
      last: int32(past + T - 1, [1]),
      total: int32(past + T, []),
    })
    const same = feeds()
    return {
      look: async () => numbers((await reading.run(feeds())).y),
      async run(units) {
        for (let i = 0; i < units; i++) release(await session.run(same))
        await fence()
      },
    }
  },

  async decoder(name, element, { phase, tokens, sizes }) {
    const { layers, kvHeads, headDim, vocab } = sizes
    const parts = Array.from({ length: layers }, (_, i) => [`${i}.key`, `${i}.value`]).flat()
    const session = await open(
      name,
      parts.map((part) => `present.${part}`),
    )
    /** @type {any[]} */
    let cache = []
    let past = 0
    let token = 0
    /** @param {number[]} ids */
    async function step(ids) {
      const total = past + ids.length
      const feeds = {
        input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]),
        last: int32(total - 1, [1]),
        total: int32(total, []),
      }
      parts.forEach((part, i) => /** @type {any} */ (feeds[`past.${part}`] = cache[i]))
      const outputs = await session.run(feeds)
      cache.forEach((entry) => entry.dispose())
      cache = parts.map((part) => outputs[`present.${part}`])
      past = total
      return outputs.logits
    }
    async function prompt() {
      cache.forEach((entry) => entry.dispose())
      cache = parts.map(() => tensor(element, [1, kvHeads, 0, headDim]))
      past = 0
      return step(Array.from({ length: tokens }, () => Math.floor(((uniform() + 1) / 2) * vocab)))
    }
    return {
      look: async () => numbers(await prompt()),
      async run(units) {
        for (let i = 0; i < units; i++) {
          if (phase === 'prompt') await prompt()
          else {
            await step([token])
            token = (token + 7919) % vocab
          }
        }
      },
    }
  },

  async vision(name, element, { sizes }) {
    const session = await open(name, ['features'])
    const { image } = sizes
    const encode = async (/** @type {any} */ pixels) => {
      const { features, probe } = await session.run({ pixels })
      features.dispose()
      return probe
    }
    const same = tensor(element, [1, 3, image, image])
    return {
      look: async () => numbers(await encode(tensor(element, [1, 3, image, image]))),
      async run(units) {
        for (let i = 0; i < units; i++) await encode(same)
      },
    }
  },
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e3
}

/** @param {any} command */
async function answer(command) {
  if (command.do === 'prepare') return prepare(command.preset, command.device)
  if (!subject) throw new Error('bench: measure came before prepare')
  const [started, cpuStarted] = [performance.now(), cpuMs()]
  await subject.run(command.units)
  return { ms: performance.now() - started, cpuMs: cpuMs() - cpuStarted }
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
