// Ours beside its peer, one preset at a time.

import { loadavg } from 'node:os'
import { inTurns, prepareOurs, unitsFor } from './measure.mjs'
import { limitMs, round, summarise } from './report.mjs'
import { workOf } from './work.mjs'

/**
 * @typedef {import('./side.mjs').Asked} Asked
 * @typedef {import('./presets.mjs').Preset} Preset
 * @typedef {object} Stage  where both sides run
 * @property {string} adapter
 * @property {() => Promise<Asked>} ours
 * @property {(preset: Preset) => Promise<Asked>} peer
 */

/**
 * @param {Stage} stage @param {Preset} preset
 * @param {import('./measure.mjs').Effort & { withPeer: boolean, profile: boolean, limits: { copyGBps: number, gflops: number } }} options
 */
export async function measureBesidePeer(stage, preset, options) {
  const work = workOf(preset)
  /** @type {any} */
  const result = {
    preset: preset.name,
    adapter: stage.adapter,
    work,
    limitMs: round(limitMs(work, options.limits)),
  }
  const ours = await stage.ours()
  /** @type {Asked | undefined} */
  let peer
  try {
    const { prepareSeconds, ...prepared } = await prepareOurs(ours, preset)
    const { adapter, isSoftware } = prepared
    Object.assign(result, { adapter, isSoftware, prepareSeconds, check: prepared })
    const runners = [{ side: ours, units: await unitsFor(ours, preset, prepared.firstMs, options) }]
    if (options.withPeer) {
      try {
        peer = await stage.peer(preset)
        const { version, check, firstMs } = await peer.ask(peerTask(preset, prepared))
        Object.assign(result, { peerVersion: version, peerCheck: check })
        runners.push({ side: peer, units: await unitsFor(peer, preset, firstMs, options) })
      } catch (error) {
        result.peerFailed = messageOf(error)
      }
    }
    const summaries = (await inTurns(runners, options)).map(({ times, memory }) => ({
      ...summarise(times),
      ...memory,
      ...('batch' in preset && { samplesPerSecond: round((preset.batch / summarise(times).ms) * 1e3) }),
    }))
    ;[result.ours, result.peer] = summaries
    if (options.profile) result.profile = (await ours.ask({ do: 'profile' })).kernels
    result.loadAverage = round(loadavg()[0] ?? NaN)
  } catch (error) {
    result.failed = messageOf(error)
  } finally {
    ours.end()
    peer?.end()
  }
  return result
}

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error))

/** @param {Preset} preset @param {{ f16: boolean, maxBindingBytes: number }} device  what our side told of it */
function peerTask(preset, { f16, maxBindingBytes }) {
  if (!('pytorch' in preset)) return { do: 'prepare', preset, device: { f16, maxBindingBytes } }
  const positions = 'tokens' in preset ? preset.tokens : preset.positions
  return { do: 'prepare', preset: preset.pytorch, positions }
}
