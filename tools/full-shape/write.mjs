// Writes the checkpoint, a few megabytes at a time.

import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { configJson, elements, FULL_SHAPE, preprocessorJson, tensorPlans } from './shapes.mjs'
import { tokenizerJson } from './tokenizer.mjs'

/** @typedef {import('./shapes.mjs').TensorPlan} TensorPlan */

/** Elements of a pool of random numbers; a prime, so that rows of no width repeat with its period. */
const POOL = 1_048_573
/** Elements written at a time. */
const PIECE = 1 << 19
/** Pieces start anywhere in the pool and run this far, so that equal stretches never line up. */
const RUN = 4099

/**
 * Writes two shards with their index, the config files and a tokenizer.
 *
 * @param {string} folder
 * @param {import('./shapes.mjs').Sizes} [sizes]
 * @returns {{ parameters: number, bytes: number }} of the weights
 */
export function writeCheckpoint(folder, sizes = FULL_SHAPE) {
  mkdirSync(folder, { recursive: true })
  const plans = tensorPlans(sizes)
  const parameters = plans.reduce((sum, plan) => sum + elements(plan), 0)
  const shards = split(plans, parameters / 2)
  const random = generator(20_261_120)
  const pools = new Map()
  /** @type {Record<string, string>} */
  const weightMap = {}
  let bytes = 0
  for (const [i, shard] of shards.entries()) {
    const file = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`
    bytes += writeShard(join(folder, file), shard, pools, random)
    for (const { name } of shard) weightMap[name] = file
  }
  const { tokenizer, config } = tokenizerJson(sizes)
  const special = sizes.firstSpecialId
  const json = {
    'model.safetensors.index.json': { metadata: { total_size: parameters * 2 }, weight_map: weightMap },
    'config.json': configJson(sizes),
    'generation_config.json': { eos_token_id: [special + 2, special], pad_token_id: special },
    'preprocessor_config.json': preprocessorJson(sizes),
    'tokenizer.json': tokenizer,
    'tokenizer_config.json': config,
  }
  for (const [file, value] of Object.entries(json)) {
    writeFileSync(join(folder, file), JSON.stringify(value, null, file === 'tokenizer.json' ? 0 : 2))
  }
  return { parameters, bytes }
}

const number = (/** @type {number} */ n) => String(n).padStart(5, '0')

/** @param {TensorPlan[]} plans @param {number} half  elements of the first part */
function split(plans, half) {
  let sum = 0
  const cut = plans.findIndex((plan) => (sum += elements(plan)) > half)
  return [plans.slice(0, cut), plans.slice(cut)]
}

/**
 * @param {string} path
 * @param {TensorPlan[]} plans
 * @param {Map<number, Uint16Array>} pools
 * @param {() => number} random
 */
function writeShard(path, plans, pools, random) {
  let offset = 0
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { format: 'pt' } }
  for (const plan of plans) {
    const end = offset + elements(plan) * 2
    header[plan.name] = { dtype: 'F16', shape: plan.shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = JSON.stringify(header)
  const padded = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  const file = openSync(path, 'w')
  try {
    writeSync(file, length)
    writeSync(file, padded)
    const piece = new Uint16Array(PIECE)
    for (const plan of plans) {
      for (let left = elements(plan); left > 0; left -= PIECE) {
        const part = piece.subarray(0, Math.min(left, PIECE))
        fill(part, plan.values, pools, random)
        writeAll(file, new Uint8Array(part.buffer, 0, part.byteLength))
      }
    }
  } finally {
    closeSync(file)
  }
  return 8 + padded.length + offset
}

/** @param {number} file @param {Uint8Array} bytes */
function writeAll(file, bytes) {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
}

/**
 * @param {Uint16Array} part
 * @param {import('./shapes.mjs').Values} values
 * @param {Map<number, Uint16Array>} pools
 * @param {() => number} random
 */
function fill(part, values, pools, random) {
  if ('constant' in values) {
    part.fill(halfBits(values.constant))
    return
  }
  let pool = pools.get(values.normal)
  if (!pool) pools.set(values.normal, (pool = normalPool(values.normal, random)))
  for (let at = 0; at < part.length; at += RUN) {
    const count = Math.min(RUN, part.length - at)
    const from = Math.floor(random() * (POOL - count))
    part.set(pool.subarray(from, from + count), at)
  }
}

/** Normally distributed halves. @param {number} deviation @param {() => number} random */
function normalPool(deviation, random) {
  return Uint16Array.from({ length: POOL }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()))
    return halfBits(deviation * radius * Math.cos(2 * Math.PI * random()))
  })
}

const scratch = new Float32Array(1)
const scratchBits = new Uint32Array(scratch.buffer)

/**
 * The bits of the nearest half; beyond its range infinity, and ties go away from zero.
 * @param {number} value
 */
export function halfBits(value) {
  scratch[0] = value
  const bits = scratchBits[0] ?? 0
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 255) - 112
  if (exponent >= 31) return sign | 0x7c00
  if (exponent <= 0) return sign | Math.round(Math.abs(value) * 2 ** 24)
  return sign | (((exponent << 10) | ((bits >>> 13) & 0x3ff)) + ((bits >>> 12) & 1))
}

/** mulberry32: the same numbers on every machine. @param {number} seed */
function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
