// Runs the engine on a checkpoint with a clock between its parts.

import { spawn } from 'node:child_process'
import { bundleForNode } from '../bundle.mjs'

/**
 * @param {{
 *   model: string, repos: string | undefined, image: string | undefined, dtype: string, adapter: string,
 *   memory: string | undefined, tokens: number, repeat: boolean, kernels: boolean,
 * }} options
 * @returns {Promise<any>} what parts/main.ts prints
 */
export async function measureParts({ memory, ...options }) {
  const bundle = await bundleForNode('tools/full-shape/parts/main.ts', 'dist/full-shape/parts.js')
  const asked = { ...options, ...(memory !== undefined && { memoryBytes: Number(memory) * 1e9 }) }
  const child = spawn(process.execPath, ['--enable-source-maps', bundle, JSON.stringify(asked)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  const status = await new Promise((done) => child.on('close', done))
  if (status !== 0) throw new Error(`full-shape: the engine ended with status ${status}`)
  return JSON.parse(stdout)
}

/**
 * Loading and the first answer.
 * @param {{ name: string, ms: number, cpuMs: number, gpuPeakBytes: number, fileBytes?: number }[]} parts
 */
export const firstAnswer = (parts) => parts.slice(0, 1 + parts.findIndex(({ name }) => name === 'decode'))

/**
 * A table of the first answer's parts.
 * @param {any} result  as measureParts gives it
 * @returns {[header: string[], rows: string[][]]}
 */
export function partRows({ parts, answers }) {
  const header = ['part', 's', 'CPU s', 'peak GPU MB', 'read']
  /** @type {Map<string, { ms: number, cpuMs: number, gpuPeakBytes: number, fileBytes?: number }>} */
  const sums = new Map()
  for (const { name, ms, cpuMs, gpuPeakBytes, fileBytes } of firstAnswer(parts)) {
    const sum = sums.get(name) ?? { ms: 0, cpuMs: 0, gpuPeakBytes: 0, fileBytes }
    sums.set(name, sum)
    sum.ms += ms
    sum.cpuMs += cpuMs
    sum.gpuPeakBytes = Math.max(sum.gpuPeakBytes, gpuPeakBytes)
  }
  const { tokenIds, promptTokens, imageTokens } = answers[0]
  const seconds = (/** @type {number} */ ms) => (ms < 1e3 ? (ms / 1e3).toFixed(2) : (ms / 1e3).toFixed(1))
  const rows = [...sums].map(([name, { ms, cpuMs, gpuPeakBytes, fileBytes }]) => [
    name === 'prefill'
      ? `${name} (${promptTokens} tokens, ${imageTokens} of the picture)`
      : name === 'decode'
        ? `${name} (${tokenIds.length - 1} tokens)`
        : name,
    seconds(ms),
    seconds(cpuMs),
    (gpuPeakBytes / 1e6).toFixed(0),
    fileBytes === undefined
      ? ''
      : `${(fileBytes / 1e6).toFixed(0)} MB, ${(fileBytes / 1e3 / ms).toFixed(0)} MB/s`,
  ])
  return [header, rows]
}
