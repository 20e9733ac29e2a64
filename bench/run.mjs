// npm run bench: our kernels and models beside ONNX Runtime's WebGPU engine, training beside PyTorch on this machine's
// CPU, and both beside what the adapter can do at best.
//
//   npm run bench                                                every preset
//   npm run bench -- --preset NAME [--preset NAME]...            some; the beginning of a name stands for all that begin so
//   npm run bench -- --list
//   npm run --silent bench -- --preset NAME [--adapter A] --json ends with one line {preset, adapter, ours, peer, limit, ratio}
//
//   --adapter A   lavapipe (default), swiftshader, default (this machine's GPU)
//   --rounds N    measurements of each side, alternating (default 3)
//   --budget S    seconds a measurement should take (default 2); one unit at least
//   --no-peer     ours alone
//   --python PATH a Python with torch and transformers, training's peer; without it training has none
//   --threads N   of PyTorch (default: as many as there are processors; 1 where other programs keep these busy)
//   --profile     also the time of one unit by kernel, each dispatch submitted and waited for by itself
//
// Times are milliseconds a product, token, prompt, picture or training step. `ratio` is the peer's time over ours: on
// software adapters of the processes' CPU time, for other programs take their share of the wall clock there, and of the
// wall clock elsewhere.
// Where a name stands for several presets, the line is that of the lowest ratio, and `cases` holds all of them.

import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { findIcd } from '../src/cli/vulkan.mjs'
import { build, engine, root } from './build.mjs'
import { presets, selectPresets, workOf } from './presets.mjs'
import { limitMs, round, summarise, table } from './report.mjs'
import { Side } from './side.mjs'

const { values: options } = parseArgs({
  options: {
    preset: { type: 'string', multiple: true },
    adapter: { type: 'string', default: 'lavapipe' },
    rounds: { type: 'string', default: '3' },
    budget: { type: 'string', default: '2' },
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
const { adapter } = options
const rounds = Number(options.rounds)
const budgetMs = Number(options.budget) * 1e3
if (!['lavapipe', 'swiftshader', 'default'].includes(adapter)) fail(`unknown adapter "${adapter}"`)
if (!(rounds >= 1) || !(budgetMs > 0)) fail('--rounds and --budget take positive numbers')
const icd = adapter === 'default' ? undefined : findIcd(/** @type {any} */ (adapter))
if (adapter !== 'default' && !icd)
  fail(`the driver of ${adapter} was not found; "npm test" installs or names it`)
const env = {
  XDG_RUNTIME_DIR: '/tmp',
  ...process.env,
  ...(icd && { VK_ICD_FILENAMES: icd, VK_DRIVER_FILES: icd }),
}

const names = options.preset ?? presets.map(({ name }) => name)
const chosen = names.map((name) => {
  const found = selectPresets(name)
  if (!found.length) fail(`unknown preset "${name}"; --list names them`)
  return { name, found }
})
const say = (/** @type {string} */ text) => (options.json ? console.error(text) : console.log(text))

await build()
const limits = await measureLimits()
say(`copies ${limits.copyGBps.toFixed(1)} GB/s, multiply-adds ${limits.gflops.toFixed(0)} GFLOP/s\n`)

const results = []
const lines = []
for (const { name, found } of chosen) {
  const cases = []
  for (const preset of found) {
    const result = await measurePreset(preset)
    results.push(result)
    cases.push(lineOf(result))
    say(`${preset.name}: ${describe(result)}`)
    if (result.profile) say(`${showProfile(result.profile, result.isSoftware)}\n`)
  }
  const worst = cases.reduce((a, b) => ((b.ratio ?? Infinity) < (a.ratio ?? Infinity) ? b : a))
  lines.push(cases.length > 1 ? { ...worst, preset: name, worst: worst.preset, cases } : worst)
}

const record = {
  date: new Date().toISOString(),
  command: `npm run bench -- ${process.argv.slice(2).join(' ')}`,
  node: process.version,
  cpu: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
  limits,
  results,
}
const folder = join(root, 'bench/results')
mkdirSync(folder, { recursive: true })
const file = join(folder, `${record.date.replace(/[:.]/g, '-')}.json`)
writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`)
say(`\n${results.length ? showTable() : ''}\n\n${file}`)
if (options.json) console.log(JSON.stringify(lines.length === 1 ? lines[0] : lines))
process.exit(results.some((result) => result.failed) ? 1 : 0)

async function measureLimits() {
  const ours = startOurs()
  try {
    return await ours.ask({ do: 'limits' })
  } finally {
    ours.end()
  }
}

function startOurs() {
  return new Side('ours', ['--enable-source-maps', engine, adapter], env)
}

/** @param {import('./presets.mjs').Preset} preset */
function startPeer(preset) {
  if (!('pytorch' in preset)) {
    return new Side('peer', [join(root, 'bench/peer/main.mjs'), join(root, 'dist/bench/onnx')], env)
  }
  if (!options.python) throw new Error('give --python PATH of a Python with torch and transformers')
  const args = [join(root, 'bench/pytorch/train_step.py'), '--serve']
  if (options.threads) args.push('--threads', options.threads)
  return new Side('PyTorch', args, process.env, options.python)
}

/** @param {import('./presets.mjs').Preset} preset @param {any} prepared  what our side told of the device */
function peerTask(preset, { f16, maxBindingBytes }) {
  return 'pytorch' in preset
    ? {
        do: 'prepare',
        preset: preset.pytorch,
        positions: 'tokens' in preset ? preset.tokens : preset.positions,
      }
    : { do: 'prepare', preset, device: { f16, maxBindingBytes } }
}

/** Both sides set up, checked, then measured in turn. @param {import('./presets.mjs').Preset} preset */
async function measurePreset(preset) {
  const ours = startOurs()
  /** @type {Side | undefined} */
  let peer
  /** @type {any} */
  const result = { preset: preset.name, adapter, work: workOf(preset) }
  try {
    const started = performance.now()
    const prepared = await ours.ask({ do: 'prepare', preset })
    result.prepareSeconds = round((performance.now() - started) / 1e3)
    Object.assign(result, { adapter: prepared.adapter, isSoftware: prepared.isSoftware, check: prepared })
    if (!(prepared.error <= prepared.allowed)) {
      throw new Error(
        `ours: off the float64 oracle by ${prepared.error}, allowed ${prepared.allowed}; not timed`,
      )
    }
    /** @type {any} */
    let peerPrepared
    if (!options['no-peer']) {
      try {
        peer = startPeer(preset)
        peerPrepared = await peer.ask(peerTask(preset, prepared))
        result.peerVersion = peerPrepared.version
        result.peerCheck = peerPrepared.check
      } catch (error) {
        result.peerFailed = /** @type {Error} */ (error).message
        peer?.end()
        peer = undefined
      }
    }
    const sides = [ours, ...(peer ? [peer] : [])]
    const units = []
    for (const [i, side] of sides.entries()) {
      const { firstMs } = i === 0 ? prepared : peerPrepared
      // A first run that long has told enough of the next one's length, compilation included.
      const ms = firstMs > budgetMs ? firstMs : (await side.ask({ do: 'measure', units: 1 })).ms
      units.push(Math.max(1, Math.min(1000, Math.floor(budgetMs / ms))))
    }
    /** @type {import('./report.mjs').Time[][]} */
    const times = sides.map(() => [])
    /** @type {{ peakBytes?: number, peakAboveStartBytes?: number }[]} */
    const memories = []
    for (let round = 0; round < rounds; round++) {
      for (const [i, side] of sides.entries()) {
        const count = units[i] ?? 1
        const { ms, cpuMs, ...memory } = await side.ask({ do: 'measure', units: count })
        times[i]?.push({ ms: ms / count, cpuMs: cpuMs / count })
        memories[i] = memory
      }
    }
    result.ours = { ...summarise(times[0] ?? []), ...memories[0] }
    if (times[1]) result.peer = { ...summarise(times[1]), ...memories[1] }
    if ('batch' in preset) {
      for (const side of [result.ours, result.peer]) {
        if (side) side.samplesPerSecond = round((preset.batch / side.ms) * 1e3)
      }
    }
    if (options.profile) result.profile = (await ours.ask({ do: 'profile' })).kernels
    result.limitMs = round(limitMs(result.work, limits))
    result.loadAverage = round(loadavg()[0] ?? NaN)
  } catch (error) {
    result.failed = /** @type {Error} */ (error).message
  } finally {
    ours.end()
    peer?.end()
  }
  return result
}

/** @param {any} result */
function lineOf({ preset, adapter, isSoftware, ours, peer, limitMs: limit, failed, peerFailed }) {
  const measure = isSoftware ? 'cpuMs' : 'ms'
  const ratio = ours && peer ? round(peer[measure] / ours[measure]) : null
  const why = failed ?? peerFailed
  return {
    preset,
    adapter,
    ours: ours?.[measure] ?? null,
    peer: peer?.[measure] ?? null,
    limit: limit ?? null,
    ratio,
    unit: isSoftware ? 'ms of CPU time' : 'ms',
    ...(why && { failed: why }),
  }
}

/** @param {any} result */
function describe(result) {
  if (result.failed) return `FAILED: ${result.failed}`
  const { ours, peer, peerFailed, work } = result
  const speed = `${(work.flops / ours.ms / 1e6).toFixed(2)} GFLOP/s, ${(work.bytes / ours.ms / 1e6).toFixed(2)} GB/s`
  const other = peer
    ? `peer ${peer.ms} ms (CPU ${peer.cpuMs})`
    : `no peer${peerFailed ? `: ${peerFailed}` : ''}`
  const more = [ours, ...(peer ? [peer] : [])].map(describeMore).filter(Boolean).join('; ')
  return `ours ${ours.ms} ms (CPU ${ours.cpuMs}), ${speed}; ${other}${isTraining(result) ? `\n  ${more}` : ''}`
}

/** @param {any} result */
function isTraining({ preset }) {
  return preset.startsWith('train-')
}

/** Speed and memory of one side's training. @param {any} side */
function describeMore({ samplesPerSecond, peakBytes, peakAboveStartBytes }) {
  const mb = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(0)} MB`
  const above =
    peakAboveStartBytes === undefined ? 'of GPU buffers' : `(${mb(peakAboveStartBytes)} above its start)`
  return `${samplesPerSecond ? `${samplesPerSecond} samples/s, ` : ''}peak ${mb(peakBytes)} ${above}`
}

function showTable() {
  const rows = results.map((result) => {
    const { ours, peer, limitMs: limit, check, failed } = result
    if (failed) return [result.preset, 'failed']
    const time = (/** @type {any} */ side) => (side ? `${side.ms} ±${Math.round(side.spread * 100)}%` : '-')
    return [
      result.preset,
      time(ours),
      String(ours.cpuMs),
      time(peer),
      peer ? String(peer.cpuMs) : '-',
      String(limit),
      String(lineOf(result).ratio ?? '-'),
      String(check.dispatches),
    ]
  })
  return table([['preset', 'ours ms', 'CPU', 'peer ms', 'CPU', 'limit ms', 'ratio', 'dispatches'], ...rows])
}

/** @param {import('./engine/profile').KernelTime[]} kernels @param {boolean} isSoftware  shares are of CPU time then */
function showProfile(kernels, isSoftware) {
  const measure = isSoftware ? 'cpuMs' : 'ms'
  const total = kernels.reduce((sum, kernel) => sum + kernel[measure], 0)
  const rows = kernels.map(({ kernel, dispatches, flops, ...times }) => [
    `  ${kernel}`,
    String(dispatches),
    times.ms.toFixed(1),
    times.cpuMs.toFixed(1),
    `${((100 * times[measure]) / total).toFixed(0)}%`,
    flops ? (flops / times[measure] / 1e6).toFixed(2) : '-',
  ])
  return table([['  kernel', 'dispatches', 'ms', 'CPU', 'share', 'GFLOP/s'], ...rows])
}

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`bench: ${message}`)
  process.exit(1)
}
