import type { Profile, ProfilePhase } from '../worker/api'
import type { BenchReport } from './bench'
import { table } from './output'

/** What `bench` prints. */
export function formatBench(report: BenchReport): string {
  const { model, adapter, dtype, runs, promptTokens, imageTokens, tokens, medians, dispatchesPerToken } =
    report
  const seconds = (ms: number) => `${(ms / 1e3).toFixed(3)} s`
  const rate = (perSecond: number) => `${perSecond.toFixed(1)} tokens/s`
  const summary = table([
    ['model', `${model} (${dtype})`],
    ['adapter', adapter],
    ['question', `${promptTokens} tokens, ${imageTokens} of them images; ${tokens} tokens answered`],
    ['medians of', `${runs} ${runs === 1 ? 'run' : 'runs'}`],
    ['  load, files at hand', seconds(medians.loadMs)],
    ['  load to first token', seconds(medians.loadToFirstTokenMs)],
    ['  question to first token', `${seconds(medians.firstTokenMs)}, images ${seconds(medians.encodeMs)}`],
    ['  prompt', rate(medians.promptTokensPerSecond)],
    ['  decoding', rate(medians.decodeTokensPerSecond)],
    ['dispatches a token', dispatchesPerToken.toFixed(0)],
  ])
  return report.profile ? summary + formatProfile(report.profile) : summary
}

const PHASES: Record<ProfilePhase['phase'], string> = {
  encode: 'encoding images',
  prompt: 'prompt',
  decode: 'decoding',
}

/** Time by kernel, phase by phase. */
function formatProfile({ method, phases }: Profile): string {
  const how =
    method === 'timestamps'
      ? "by the device's timestamps"
      : 'by waiting for each dispatch: compare shares and not sums'
  return phases.map((phase) => formatPhase(phase, how)).join('')
}

function formatPhase({ phase, steps, wallMs, kernels }: ProfilePhase, how: string): string {
  const total = kernels.reduce((sum, { ms }) => sum + ms, 0)
  const rows = kernels.map(({ kernel, dispatches, ms, flops }) => [
    kernel,
    String(dispatches),
    ms.toFixed(2),
    `${((100 * ms) / (total || 1)).toFixed(1)}%`,
    flops > 0 && ms > 0 ? (flops / ms / 1e6).toFixed(2) : '',
  ])
  const all = [['kernel', 'dispatches', 'ms', 'share', 'GFLOP/s'], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  const lines = all.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
  const unit = { encode: 'image', prompt: 'prompt', decode: 'token' }[phase]
  const title = `${PHASES[phase]}: ${wallMs.toFixed(1)} ms, of which kernels ${total.toFixed(1)} ms in ${steps} ${unit}${steps === 1 ? '' : 's'}, ${how}`
  return `\n${title}\n${lines.map((line) => `  ${line}\n`).join('')}`
}
