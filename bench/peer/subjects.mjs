// What the peer measures, the same in Node and in a page: knows the runtime's own surface and nothing of files or processes.

import { DECODED_TOKENS } from '../presets.mjs'
import { halfBits, halfValue } from './half.mjs'

/**
 * @typedef {object} Runtime
 * @property {any} ort  onnxruntime-common's surface
 * @property {(name: string, onGpu?: string[]) => Promise<any>} open  a session over NAME.onnx; the outputs named stay on the GPU
 *
 * @typedef {object} Subject
 * @property {(units: number) => Promise<void>} run
 * @property {() => Promise<number[]>} look  values of a run on new input
 * @property {() => Promise<void>} [rewind]  makes the next run begin where the first began, outside the clock
 */

/**
 * Opens a preset's graph, looks at what it computes, and runs it once.
 *
 * @param {Runtime} runtime
 * @param {import('../presets.mjs').InferencePreset} preset
 * @param {{ name: string, element: 'f32' | 'f16' }} graph
 */
export async function prepare(runtime, preset, graph) {
  const subject = await createSubject(runtime, preset, graph)
  const check = inspect(await subject.look(), await subject.look())
  await subject.rewind?.()
  const started = performance.now()
  await subject.run(1)
  return { subject, check, firstMs: performance.now() - started }
}

/** @param {Subject} subject @param {number} units @param {() => number} cpuMs */
export async function measure(subject, units, cpuMs) {
  await subject.rewind?.()
  const [started, cpuStarted] = [performance.now(), cpuMs()]
  await subject.run(units)
  return { ms: performance.now() - started, cpuMs: cpuMs() - cpuStarted }
}

/** What a wrong engine often gets wrong without noticing. @param {number[]} first @param {number[]} second */
function inspect(first, second) {
  const finite = [first, second].every((values) => values.every(Number.isFinite))
  const varies = new Set(first.slice(0, 1000)).size > 1
  const dependsOnInput = first.some((value, i) => value !== second[i])
  return { ok: finite && varies && dependsOnInput, finite, varies, dependsOnInput }
}

/**
 * @param {Runtime} runtime
 * @param {import('../presets.mjs').InferencePreset} preset
 * @param {{ name: string, element: 'f32' | 'f16' }} graph
 * @returns {Promise<Subject>}
 */
async function createSubject({ ort, open }, preset, { name, element }) {
  const { tensor, int32, int64 } = tensors(ort, element)
  /** @type {Map<number, any>} */
  const copies = new Map()
  const fence = await fenceOf(ort, open)

  switch (preset.kind) {
    case 'matmul':
      return product(() => ({ x: tensor([1, preset.M, preset.K]) }), ['y'])
    case 'attention': {
      const { T, past, heads, kvHeads, headDim: D } = preset
      const feeds = () => ({
        q: tensor([1, T, heads * D]),
        k: tensor([1, T, kvHeads * D]),
        v: tensor([1, T, kvHeads * D]),
        past_key: tensor([1, kvHeads, past, D]),
        past_value: tensor([1, kvHeads, past, D]),
        last: int32(past + T - 1, [1]),
        total: int32(past + T, []),
      })
      return product(feeds, ['y', 'key', 'value'])
    }
    case 'sva': {
      const { side, reduce, heads, headDim } = preset
      const rows = (/** @type {number} */ cells) => tensor([cells ** 2, heads * headDim])
      const maps = () => reduce.flatMap((r, i) => ['k', 'v'].map((part) => [`${part}${i}`, rows(side * r)]))
      return product(() => ({ q: rows(side), ...Object.fromEntries(maps()) }), ['y'])
    }
    case 'decoder':
      return decoder(preset)
    case 'vision': {
      const session = await open(name, ['features'])
      const { image } = preset.sizes
      const encode = async (/** @type {any} */ pixels) => {
        const { features, probe } = await session.run({ pixels })
        features.dispose()
        return probe
      }
      const same = tensor([1, 3, image, image])
      return {
        look: async () => numbers(await encode(tensor([1, 3, image, image]))),
        async run(units) {
          for (let i = 0; i < units; i++) await encode(same)
        },
      }
    }
  }

  /** Moves a tensor to the GPU: a unit finds its inputs there. @param {any} onCpu */
  async function placed(onCpu) {
    if (onCpu.size === 0 || onCpu.type === 'int32') return onCpu
    const rank = onCpu.dims.length
    if (!copies.has(rank)) copies.set(rank, await open(copyName(element, rank), ['y']))
    return (await copies.get(rank).run({ x: onCpu })).y
  }

  /**
   * The same inputs back to back, the outputs left on the GPU.
   * @param {() => Record<string, any>} feeds @param {string[]} outputs
   * @returns {Promise<Subject>}
   */
  async function product(feeds, outputs) {
    const session = await open(name, outputs)
    const reading = await open(name)
    /** @type {Record<string, any>} */
    const same = {}
    for (const [input, onCpu] of Object.entries(feeds())) same[input] = await placed(onCpu)
    return {
      look: async () => numbers((await reading.run(feeds())).y),
      async run(units) {
        for (let i = 0; i < units; i++) release(await session.run(same))
        await fence()
      },
    }
  }

  /** @param {import('../presets.mjs').DecoderPreset} preset @returns {Promise<Subject>} */
  async function decoder({ phase, tokens, sizes }) {
    const { layers, kvHeads, headDim, vocab } = sizes
    const parts = Array.from({ length: layers }, (_, i) => [`${i}.key`, `${i}.value`]).flat()
    const present = parts.map((part) => `present.${part}`)
    const session = await open(name, present)
    /** @type {any[]} */
    let cache = []
    let past = 0
    /** A cache of random keys and values: decoding costs the same behind any. @param {number} length */
    async function fill(length) {
      cache.forEach((entry) => entry.dispose())
      cache = []
      while (cache.length < parts.length) cache.push(await placed(tensor([1, kvHeads, length, headDim])))
      past = length
    }
    /** @param {number[]} ids */
    async function step(ids) {
      const total = past + ids.length
      /** @type {Record<string, any>} */
      const feeds = { input_ids: int64(ids), last: int32(total - 1, [1]), total: int32(total, []) }
      parts.forEach((part, i) => (feeds[`past.${part}`] = cache[i]))
      const outputs = await session.run(feeds)
      cache.forEach((entry) => entry.dispose())
      cache = present.map((part) => outputs[part])
      past = total
      return outputs.logits
    }
    const token = () => Math.floor(((uniform() + 1) / 2) * vocab)
    const isPrompt = phase === 'prompt'
    async function unit() {
      if (isPrompt || past >= tokens + DECODED_TOKENS) await fill(isPrompt ? 0 : tokens)
      return step(Array.from({ length: isPrompt ? tokens : 1 }, token))
    }
    await fill(isPrompt ? 0 : tokens)
    return {
      look: async () => numbers(await unit()),
      async run(units) {
        for (let i = 0; i < units; i++) await unit()
      },
      ...(!isPrompt && {
        rewind: () => fill(tokens),
      }),
    }
  }
}

/** Graph that copies a tensor. @param {'f32' | 'f16'} element @param {number} rank */
export const copyName = (element, rank) => `copy-${element}-${rank}`

/** Waits for all work queued before. @param {any} ort @param {Runtime['open']} open */
async function fenceOf(ort, open) {
  const session = await open('fence')
  return async () => {
    const { y } = await session.run({ x: new ort.Tensor('float32', new Float32Array([1]), [1]) })
    if (y.data[0] !== 2) throw new Error('fence: 1 + 1 is not 2')
  }
}

/** @param {any} ort @param {'f32' | 'f16'} element */
function tensors(ort, element) {
  return {
    /** Random values. @param {number[]} dims */
    tensor(dims) {
      const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, uniform)
      if (element === 'f32') return new ort.Tensor('float32', values, dims)
      const bits = Uint16Array.from(values, halfBits)
      // Where there are halves, the runtime asks for them.
      const { Float16Array: Halves } = /** @type {any} */ (globalThis)
      return new ort.Tensor('float16', Halves ? new Halves(bits.buffer) : bits, dims)
    },
    /** @param {number} value @param {number[]} dims */
    int32: (value, dims) => new ort.Tensor('int32', new Int32Array([value]), dims),
    /** @param {number[]} values */
    int64: (values) => new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]),
  }
}

/** @param {{ data: any }} tensor @returns {number[]} */
function numbers({ data }) {
  return data instanceof Uint16Array ? Array.from(data, halfValue) : Array.from(data)
}

/** @param {Record<string, { dispose(): void }>} outputs */
const release = (outputs) => Object.values(outputs).forEach((output) => output.dispose())

let seed = 1
/** Uniform in -1 to 1. */
function uniform() {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return seed / 2 ** 31 - 1
}
