// Numbers out of repeated measurements, and the table they are shown in.

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
 * @typedef {{ ms: number, cpuMs: number }} Time  of one unit
 * @typedef {{ ms: number, cpuMs: number, spread: number, runs: number }} Summary
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
 * The least time a unit can take on this adapter: its bytes at the speed of copies, or its arithmetic at the best rate.
 *
 * @param {{ flops: number, bytes: number }} work
 * @param {{ copyGBps: number, gflops: number }} limits
 * @returns {number} milliseconds
 */
export const limitMs = ({ flops, bytes }, { copyGBps, gflops }) =>
  Math.max(bytes / copyGBps / 1e6, flops / gflops / 1e6)

/** @param {string[][]} rows  the first is the header */
export function table(rows) {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row.map((cell, i) => (i ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  '),
    )
    .join('\n')
}
