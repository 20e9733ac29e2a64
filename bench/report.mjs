// Numbers out of repeated measurements, and the lines and tables they are shown in.

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}

/** Half the distance between the smallest and the largest, relative to the median. @param {number[]} values */
export const spread = (values) => (Math.max(...values) - Math.min(...values)) / 2 / median(values)

/**
 * @typedef {{ ms: number, cpuMs: number }} Time  of one unit; cpuMs is NaN where the system does not tell
 * @typedef {{ ms: number, cpuMs: number, spread: number, runs: number }} Summary  spread of `ms`
 */

/** @param {Time[]} times @returns {Summary} */
export function summarise(times) {
  const ms = times.map((time) => time.ms)
  return {
    ms: round(median(ms)),
    cpuMs: round(median(times.map((time) => time.cpuMs))),
    spread: round(spread(ms)),
    runs: times.length,
  }
}

/** To four digits. @param {number} value */
export const round = (value) => (Number.isFinite(value) ? Number(value.toPrecision(4)) : value)

/**
 * On software adapters other programs take their share of the wall clock, and shaders run on the CPU.
 *
 * @param {boolean} isSoftware @param {Time[]} times
 * @returns {'cpuMs' | 'ms'}
 */
export const measureOf = (isSoftware, times) =>
  isSoftware && times.every(({ cpuMs }) => cpuMs >= 0) ? 'cpuMs' : 'ms'

/** @param {'cpuMs' | 'ms'} measure */
export const unitOf = (measure) => (measure === 'cpuMs' ? 'ms of CPU time' : 'ms')

/**
 * The least time a unit can take on this adapter: its bytes at the speed of copies, or its arithmetic at the best rate.
 *
 * @param {{ flops: number, bytes: number }} work
 * @param {{ copyGBps: number, gflops: number }} limits
 * @returns {number} milliseconds
 */
export const limitMs = ({ flops, bytes }, { copyGBps, gflops }) =>
  Math.max(bytes / copyGBps / 1e6, flops / gflops / 1e6)

/** A preset's line of `--json`. @param {any} result */
export function lineOf({ preset, adapter, isSoftware, ours, peer, limitMs: limit, failed, peerFailed }) {
  const measure = measureOf(isSoftware, [ours, peer].filter(Boolean))
  const why = failed ?? peerFailed
  return {
    preset,
    adapter,
    ours: ours?.[measure] ?? null,
    peer: peer?.[measure] ?? null,
    limit: limit ?? null,
    ratio: ours && peer ? round(peer[measure] / ours[measure]) : null,
    unit: unitOf(measure),
    ...(why && { failed: why }),
  }
}

/** @param {any} result */
export function describe(result) {
  if (result.failed) return `FAILED: ${result.failed}`
  const { ours, peer, peerFailed, work } = result
  const speed = `${(work.flops / ours.ms / 1e6).toFixed(2)} GFLOP/s, ${(work.bytes / ours.ms / 1e6).toFixed(2)} GB/s`
  const other = peer
    ? `peer ${peer.ms} ms (CPU ${peer.cpuMs})`
    : `no peer${peerFailed ? `: ${peerFailed}` : ''}`
  const isTraining = result.preset.startsWith('train-')
  const more = [ours, peer].filter(Boolean).map(describeTraining).join('; ')
  return `ours ${ours.ms} ms (CPU ${ours.cpuMs}), ${speed}; ${other}${isTraining ? `\n  ${more}` : ''}`
}

/** Speed and memory of one side's training. @param {any} side */
function describeTraining({ samplesPerSecond, peakBytes, peakAboveStartBytes }) {
  const mb = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(0)} MB`
  const above =
    peakAboveStartBytes === undefined ? 'of GPU buffers' : `(${mb(peakAboveStartBytes)} above its start)`
  return `${samplesPerSecond} samples/s, peak ${mb(peakBytes)} ${above}`
}

/** Wall clock with its spread, CPU time; the ratio is of what `lineOf` compares. @param {any[]} results */
export function showResults(results) {
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
export function showProfile(kernels, isSoftware) {
  const measure = measureOf(isSoftware, kernels)
  const total = kernels.reduce((sum, kernel) => sum + kernel[measure], 0)
  const rows = kernels.map(({ kernel, dispatches, flops, ...times }) => [
    `  ${kernel}`,
    String(dispatches),
    times.ms.toFixed(1),
    times.cpuMs >= 0 ? times.cpuMs.toFixed(1) : '-',
    `${((100 * times[measure]) / total).toFixed(0)}%`,
    flops ? (flops / times[measure] / 1e6).toFixed(2) : '-',
  ])
  return table([['  kernel', 'dispatches', 'ms', 'CPU', 'share', 'GFLOP/s'], ...rows])
}

/** @param {string[][]} rows  the first is the header */
export function table(rows) {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row.map((cell, i) => (i ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  '),
    )
    .join('\n')
}
