// npm run bench: our kernels and models beside ONNX Runtime's WebGPU engine, training beside PyTorch on this machine's CPU,
// and both beside what the adapter can do at best; or one version of ours beside another.
//
//   npm run bench                                                every preset
//   npm run bench -- --preset NAME [--preset NAME]...            some; the beginning of a name stands for all that begin so
//   npm run bench -- --list
//   npm run --silent bench -- --preset NAME [--adapter A] --json ends with one line {preset, adapter, ours, peer, limit, ratio}
//   npm run bench -- --compare BASE [HEAD] [--preset NAME]...    exits with 1 and names the presets that became slower
//
//   --adapter A   in Node: lavapipe (default), swiftshader, default (this machine's GPU);
//                 in a browser: chromium (its SwiftShader; by default the small presets), chromium-gpu
//   --rounds N    measurements of each side, alternating (default 3, of versions 5)
//   --budget S    seconds a measurement should take (default 2); one unit at least
//   --no-peer     ours alone
//   --python PATH a Python with torch and transformers, training's peer; without it training has none
//   --threads N   of PyTorch (default: as many as there are processors; 1 where other programs keep these busy)
//   --profile     also the time of one unit by kernel, each dispatch submitted and waited for by itself
//   --threshold P per cent by which a preset may become slower (default 10)
//
// Times are milliseconds a product, token, prompt, picture or training step. `ratio` is the peer's time over ours: on
// software adapters of the processes' CPU time (in a browser: of all its processes), for other programs take their share of
// the wall clock there, and of the wall clock elsewhere; `unit` says which.
// Where a name stands for several presets, the line is that of the lowest ratio, and `cases` holds all of them.

import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isBrowserAdapter, openChromium } from './browser/chromium.mjs'
import { root } from './build.mjs'
import { compareVersions } from './compare.mjs'
import { environmentOf, NODE_ADAPTERS, openNode } from './node-stage.mjs'
import { measureBesidePeer, messageOf } from './beside-peer.mjs'
import { presets, selectPresets, smallPresets } from './presets.mjs'
import { describe, lineOf, showProfile, showResults } from './report.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    preset: { type: 'string', multiple: true },
    adapter: { type: 'string', default: 'lavapipe' },
    rounds: { type: 'string' },
    budget: { type: 'string', default: '2' },
    compare: { type: 'string' },
    threshold: { type: 'string', default: '10' },
    'no-peer': { type: 'boolean', default: false },
    python: { type: 'string' },
    threads: { type: 'string' },
    profile: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
if (options.list) {
  console.log(presets.map(({ name }) => name).join('\n'))
  process.exit(0)
}

const { adapter, compare: base } = options
const effort = {
  rounds: Number(options.rounds ?? (base === undefined ? 3 : 5)),
  budgetMs: Number(options.budget) * 1e3,
}
const threshold = Number(options.threshold) / 100
const inBrowser = isBrowserAdapter(adapter)
const [head] = positionals
if (!inBrowser && !NODE_ADAPTERS.includes(adapter)) fail(`unknown adapter "${adapter}"`)
if (!(effort.rounds >= 1) || !(effort.budgetMs > 0)) fail('--rounds and --budget take positive numbers')
if (!(threshold >= 0)) fail('--threshold takes a number of per cent')
if (positionals.length > (base === undefined ? 0 : 1)) fail(`unexpected "${positionals.at(-1)}"`)
if (base !== undefined && inBrowser) fail('versions are compared in Node')

const names = options.preset ?? (inBrowser ? smallPresets : presets).map(({ name }) => name)
const chosen = names.map((name) => {
  const found = selectPresets(name)
  if (!found.length) fail(`unknown preset "${name}"; --list names them`)
  return { name, found }
})
const say = (/** @type {string} */ text) => (options.json ? console.error(text) : console.log(text))
// Ends by process.exit, which the temporary folders of a comparison wait for.
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
  process.once(signal, () => process.exit(130))

try {
  const isBad = await (base === undefined ? runBesidePeers() : runComparison(base))
  process.exit(isBad ? 1 : 0)
} catch (error) {
  fail(messageOf(error))
}

/** @returns {Promise<boolean>} whether one failed */
async function runBesidePeers() {
  const stage = inBrowser ? await openChromium(adapter) : await openNode(adapter, options)
  try {
    const limits = await measureLimits(stage)
    say(`copies ${limits.copyGBps.toFixed(1)} GB/s, multiply-adds ${limits.gflops.toFixed(0)} GFLOP/s\n`)
    const settings = { ...effort, limits, withPeer: !options['no-peer'], profile: options.profile }
    const results = []
    const lines = []
    for (const { name, found } of chosen) {
      const cases = []
      for (const preset of found) {
        const result = await measureBesidePeer(stage, preset, settings)
        results.push(result)
        cases.push(lineOf(result))
        say(`${preset.name}: ${describe(result)}`)
        if (result.profile) say(`${showProfile(result.profile, result.isSoftware)}\n`)
      }
      const worst = cases.reduce((a, b) => ((b.ratio ?? Infinity) < (a.ratio ?? Infinity) ? b : a))
      lines.push(cases.length > 1 ? { ...worst, preset: name, worst: worst.preset, cases } : worst)
    }
    say(`\n${showResults(results)}\n\n${record({ limits, results })}`)
    if (options.json) console.log(JSON.stringify(lines.length === 1 ? lines[0] : lines))
    return results.some((result) => result.failed)
  } finally {
    await stage.close()
  }
}

/** @param {string} base @returns {Promise<boolean>} whether something became slower */
async function runComparison(base) {
  const found = [...new Set(chosen.flatMap(({ found }) => found))]
  const env = environmentOf(adapter)
  const { isWorse, results } = await compareVersions({
    base,
    head,
    presets: found,
    adapter,
    env,
    threshold,
    effort,
    say,
  })
  say(`\n${record({ results })}`)
  if (options.json) console.log(JSON.stringify(results.length === 1 ? results[0] : results))
  return isWorse
}

/** @param {import('./beside-peer.mjs').Stage} stage @returns {Promise<{ copyGBps: number, gflops: number }>} */
async function measureLimits(stage) {
  const ours = await stage.ours()
  try {
    return await ours.ask({ do: 'limits' })
  } finally {
    ours.end()
  }
}

/** Writes all numbers to a file. @param {object} numbers @returns {string} its path */
function record(numbers) {
  const date = new Date().toISOString()
  const whole = {
    date,
    command: `npm run bench -- ${process.argv.slice(2).join(' ')}`,
    node: process.version,
    cpu: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
    ...numbers,
  }
  const folder = join(root, 'bench/results')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${date.replace(/[:.]/g, '-')}.json`)
  writeFileSync(file, `${JSON.stringify(whole, null, 2)}\n`)
  return file
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`bench: ${message}`)
  process.exit(1)
}
