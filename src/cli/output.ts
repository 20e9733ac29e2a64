import type { AskEvent, DeviceReport, LoadProgress, ModelPlan } from '../worker/api'

/** Writes and waits until it is out: process.exit right after cuts nothing off. */
export function print(text: string, stream: NodeJS.WritableStream = process.stdout): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()))
  })
}

/** Bytes for people: 9.3 MB, 1.7 GB (decimal, as download sizes are given). */
export function formatBytes(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
}

/** One line of a load's progress. */
export function formatProgress(progress: LoadProgress): string {
  switch (progress.phase) {
    case 'config':
      return `reading ${progress.file}`
    case 'weights':
      return (
        `${progress.file} (${progress.fileIndex + 1} of ${progress.fileCount}): ` +
        `${formatBytes(progress.doneBytes)} of ${formatBytes(progress.totalBytes)}, ` +
        `${formatBytes(progress.bytesPerSecond)}/s`
      )
    case 'compile':
      return `compiling kernels: ${progress.done} of ${progress.total}`
    case 'ready':
      return 'ready'
  }
}

/** One line of fetching a vision tower for the pictures of a question. */
export function formatTower(event: Extract<AskEvent, { type: 'tower' }>): string {
  const { tower, towers, name, doneBytes, totalBytes } = event
  return `tower ${tower + 1} of ${towers}, ${name}: ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`
}

/** The adapter's name as `ask --json` gives it. */
export function adapterName({ adapter }: DeviceReport): string {
  return adapter.description || `${adapter.vendor} ${adapter.architecture}`.trim() || 'unknown'
}

/** What `plan` prints. */
export function formatPlan(plan: ModelPlan): string {
  const { vision, connector, language, kvCache, activations, total } = plan.gpuBytes
  const rows: [string, string][] = [
    ['model', plan.model],
    ['architecture', plan.architecture],
    ['parameters', plan.parameters.toLocaleString('en')],
    ['held as', plan.dtype],
    ['download', `${formatBytes(plan.downloadBytes)} in ${plan.files.length} files`],
    ['GPU memory', formatBytes(total)],
    ['  vision', formatBytes(vision)],
    ...(plan.towers.length > 1 ? plan.towers.map(towerRow) : []),
    ['  connector', formatBytes(connector)],
    ['  language', formatBytes(language)],
    ['  KV cache', `${formatBytes(kvCache)} for ${plan.contextLength} tokens`],
    ['  activations', formatBytes(activations)],
    ['image tokens', String(plan.imageTokens)],
    ['fits', plan.fits ? 'yes' : 'no'],
  ]
  if (plan.advice) rows.push(['advice', plan.advice])
  return table(rows)
}

function towerRow({ name, gpuBytes, fileBytes, resident }: ModelPlan['towers'][number]): [string, string] {
  const when = resident
    ? 'stays'
    : `fetched for each question with new pictures (${formatBytes(fileBytes)}), then freed`
  return [`    ${name}`, `${formatBytes(gpuBytes)}, ${when}`]
}

/** What `info` prints. */
export function formatReport(report: DeviceReport): string {
  const rows: [string, string][] = [
    ['adapter', adapterName(report)],
    ['vendor', report.adapter.vendor],
    ['architecture', report.adapter.architecture],
    ['software', report.isSoftware ? 'yes' : 'no'],
    ...Object.entries(report.features).map(([name, has]): [string, string] => [name, has ? 'yes' : 'no']),
    ...Object.entries(report.limits).map(([name, value]): [string, string] => [name, String(value)]),
  ]
  if (report.selfTest) {
    const { passed, checks, ms } = report.selfTest
    rows.push(['self-test', `${passed ? 'passed' : 'FAILED'} in ${Math.round(ms)} ms`])
    for (const check of checks) {
      const verdict = check.passed ? 'ok' : 'FAILED'
      rows.push([
        `  ${check.name}`,
        `${verdict}, error ${check.maxError.toExponential(1)} of ${check.tolerance}`,
      ])
    }
  }
  return table(rows)
}

/** A value as a line of JSON. */
export function json(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

/** Columns as wide as what stands in them. */
export function table(rows: [string, string][]): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('')
}
