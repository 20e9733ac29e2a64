// Sides set up, checked, and measured in turns.

import { mostUnits } from './presets.mjs'
import { round } from './report.mjs'

/**
 * @typedef {import('./side.mjs').Asked} Asked
 * @typedef {import('./report.mjs').Time} Time
 * @typedef {import('./presets.mjs').Preset} Preset
 * @typedef {{ rounds: number, budgetMs: number }} Effort  measurements of each side, and the time one should take
 */

/**
 * Sets one engine of ours up. Returns: what it told of its device and its check.
 * Throws: where it is off the float64 oracle, for what is wrong is not timed.
 *
 * @param {Asked} side @param {Preset} preset
 */
export async function prepareOurs(side, preset) {
  const started = performance.now()
  const prepared = await side.ask({ do: 'prepare', preset })
  const { error, allowed } = prepared
  if (!(error <= allowed)) {
    throw new Error(`ours: off the float64 oracle by ${error}, allowed ${allowed}; not timed`)
  }
  return { ...prepared, prepareSeconds: round((performance.now() - started) / 1e3) }
}

/**
 * Units that fill the time of one measurement.
 *
 * @param {Asked} side @param {Preset} preset @param {number} firstMs  of its first unit, compilation included
 * @param {Effort} effort
 */
export async function unitsFor(side, preset, firstMs, { budgetMs }) {
  // A first run that long has told enough of the next one's length.
  const ms = firstMs > budgetMs ? firstMs : (await side.ask({ do: 'measure', units: 1 })).ms
  return Math.max(1, Math.min(mostUnits(preset), Math.floor(budgetMs / ms)))
}

/**
 * A B A B: the machine's other work meets all sides alike.
 *
 * @param {{ side: Asked, units: number }[]} runners @param {Effort} effort
 * @returns {Promise<{ times: Time[], memory: object }[]>}  of one unit each round; and the memory last told
 */
export async function inTurns(runners, { rounds }) {
  /** @type {{ times: Time[], memory: object }[]} */
  const measured = runners.map(() => ({ times: [], memory: {} }))
  for (let round = 0; round < rounds; round++) {
    for (const [i, { side, units }] of runners.entries()) {
      const { ms, cpuMs, ...memory } = await side.ask({ do: 'measure', units })
      measured[i]?.times.push({ ms: ms / units, cpuMs: cpuMs / units })
      Object.assign(measured[i]?.memory ?? {}, memory)
    }
  }
  return measured
}
