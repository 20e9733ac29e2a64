// Writes the repositories of a model, a few megabytes at a time.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeSafetensors } from './safetensors.mjs'
import { writeTorchFile } from './torch-file.mjs'
import { elements, ELEMENT_BYTES, ValueSource } from './values.mjs'

/** @typedef {import('./values.mjs').TensorPlan} TensorPlan */

/**
 * One repository as the hub would hold it. `weights` is a file (.safetensors, or .bin as torch.save writes it), or a
 * number of safetensors shards with their index.
 * @typedef {{
 *   folder: string,
 *   dtype: import('./values.mjs').Dtype,
 *   plans: TensorPlan[],
 *   weights: string | { name: string, shards: number },
 *   files: Record<string, unknown>,
 * }} Repository
 */

/**
 * Writes weights of random values, config files and tokenizers.
 * @param {string} folder
 * @param {Repository[]} repositories
 * @returns {{ parameters: number, bytes: number }} of all weights
 */
export function writeModel(folder, repositories) {
  const values = new ValueSource()
  let [parameters, bytes] = [0, 0]
  for (const repository of repositories) {
    const { plans, dtype, weights, files } = repository
    const into = join(folder, repository.folder)
    mkdirSync(into, { recursive: true })
    parameters += plans.reduce((sum, plan) => sum + elements(plan), 0)
    if (typeof weights !== 'string') bytes += writeShards(into, repository, weights, values)
    else {
      const write = weights.endsWith('.safetensors') ? writeSafetensors : writeTorchFile
      bytes += write(join(into, weights), plans, dtype, values)
    }
    for (const [file, value] of Object.entries(files)) {
      writeFileSync(join(into, file), JSON.stringify(value, null, file === 'tokenizer.json' ? 0 : 2))
    }
  }
  return { parameters, bytes }
}

/**
 * Shards of about equal length and their index.
 * @param {string} folder
 * @param {Repository} repository
 * @param {{ name: string, shards: number }} weights
 * @param {ValueSource} values
 */
function writeShards(folder, { plans, dtype }, { name, shards }, values) {
  const total = plans.reduce((sum, plan) => sum + elements(plan), 0)
  /** @type {Record<string, string>} */
  const weightMap = {}
  /** @type {Map<string, TensorPlan[]>} */
  const byFile = new Map()
  let before = 0
  for (const plan of plans) {
    const file = `${name}-${number(1 + Math.floor((before * shards) / total))}-of-${number(shards)}.safetensors`
    weightMap[plan.name] = file
    byFile.set(file, [...(byFile.get(file) ?? []), plan])
    before += elements(plan)
  }
  let bytes = 0
  for (const [file, held] of byFile) bytes += writeSafetensors(join(folder, file), held, dtype, values)
  const index = { metadata: { total_size: total * ELEMENT_BYTES[dtype] }, weight_map: weightMap }
  writeFileSync(join(folder, `${name}.safetensors.index.json`), JSON.stringify(index, null, 2))
  return bytes
}

const number = (/** @type {number} */ n) => String(n).padStart(5, '0')
