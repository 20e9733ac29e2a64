// Runs the command line on the checkpoint and watches it from outside.

import { execFile, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { commandLine, cpuMsOf, descendants, memoryOf } from './process-memory.mjs'

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)))

const SAMPLE_MS = 20

/**
 * @typedef {{
 *   report: any,
 *   phases: { name: string, ms: number, cpuMs: number }[],
 *   hostGrowthBytes: number,
 *   residentGrowthBytes: number,
 *   sharedPeakBytes: number,
 *   wallMs: number,
 * }} Measurement
 */

/**
 * @typedef {{
 *   model: string,
 *   repos: string | undefined,
 *   image: string | undefined,
 *   dtype: string,
 *   adapter: string,
 *   memory: string | undefined,
 *   tokens: number,
 * }} MeasureOptions
 */

/** @param {MeasureOptions} options */
const modelArguments = ({ model, repos, dtype, adapter, memory }) => [
  ...['--model', model, ...(repos ? ['--repos', repos] : []), '--dtype', dtype, '--adapter', adapter],
  ...(memory ? ['--memory', memory] : []),
]

/** The arguments of the command line, as the tables quote them. @param {MeasureOptions} options */
export const askArguments = (options) => [
  ...['ask', ...modelArguments(options), ...(options.image ? ['--image', options.image] : [])],
  ...['--prompt', 'What is this?', '--json', '--max-new-tokens', String(options.tokens)],
]

/**
 * What the command line plans for the checkpoint.
 * @param {MeasureOptions} options
 * @returns {Promise<any>}
 */
export async function planOf(options) {
  const command = [join(root, 'src/cli/launch.mjs'), 'plan', ...modelArguments(options), '--json']
  const { stdout } = await promisify(execFile)(process.execPath, command)
  return JSON.parse(stdout)
}

/**
 * One load and one answer.
 *
 * Host growth is counted from the moment the first config file is read until the first kernel is compiled. On software
 * adapters the buffers of the GPU are memory of the process too: lavapipe shares them (counted apart), SwiftShader does not.
 *
 * @param {MeasureOptions} options
 * @returns {Promise<Measurement>}
 */
export async function measure(options) {
  const started = performance.now()
  const child = spawn(process.execPath, [join(root, 'src/cli/launch.mjs'), ...askArguments(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Progress is written for terminals only; it tells when each phase begins.
    env: { ...process.env, TRILOBITE_STDERR_IS_TERMINAL: '1' },
  })
  let stdout = ''
  let stderr = ''
  /** @type {number | undefined} */
  let pid
  let phase = 'start'
  /** @type {{ name: string, at: number, cpuMs: number }[]} */
  const begun = [{ name: phase, at: started, cpuMs: 0 }]
  const base = { host: NaN, resident: NaN }
  let hostGrowthBytes = 0
  let residentGrowthBytes = 0
  let sharedPeakBytes = 0
  let cpuMs = 0

  const sample = () => {
    pid ??= descendants(child.pid ?? -1).find((id) =>
      commandLine(id).some((arg) => arg.endsWith('dist/cli/main.js')),
    )
    const memory = pid === undefined ? undefined : memoryOf(pid)
    if (!memory) return
    sharedPeakBytes = Math.max(sharedPeakBytes, memory.shared)
    cpuMs = cpuMsOf(/** @type {number} */ (pid))
    const host = memory.anonymous + memory.file
    if (phase === 'config' && Number.isNaN(base.host)) Object.assign(base, { host, resident: memory.total })
    if (phase !== 'config' && phase !== 'weights') return
    hostGrowthBytes = Math.max(hostGrowthBytes, host - base.host)
    residentGrowthBytes = Math.max(residentGrowthBytes, memory.total - base.resident)
  }
  const enter = (/** @type {string} */ name) => {
    if (name === phase) return
    phase = name
    sample()
    begun.push({ name, at: performance.now(), cpuMs })
  }
  const timer = setInterval(sample, SAMPLE_MS)
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
    for (const line of String(text).split('\r\x1b[K')) {
      if (line.startsWith('reading ')) enter('config')
      else if (/ \(\d+ of \d+\): /.test(line)) enter('weights')
      else if (line.startsWith('compiling ')) enter('compile')
      else if (line === 'ready') enter('answer')
    }
  })
  const status = await new Promise((done) => child.on('close', done))
  clearInterval(timer)
  const end = { at: performance.now(), cpuMs }
  if (status !== 0)
    throw new Error(`trilobite ended with status ${status}: ${stderr.split('\r\x1b[K').at(-1)}`)
  const phases = begun.map(({ name, at, cpuMs: begunCpuMs }, i) => ({
    name,
    ms: (begun[i + 1]?.at ?? end.at) - at,
    cpuMs: (begun[i + 1]?.cpuMs ?? end.cpuMs) - begunCpuMs,
  }))
  const report = JSON.parse(stdout)
  return { report, phases, hostGrowthBytes, residentGrowthBytes, sharedPeakBytes, wallMs: end.at - started }
}
