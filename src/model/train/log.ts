import { CheckpointError } from '../errors'
import type { LogRecord } from './definition'
import { LOG_FILE, type RunFiles } from './run-store'

/** Writes records down, a line of JSON each. Numbers that are not finite, which JSON has no words for, become strings. */
export async function appendLog(
  files: RunFiles,
  run: string,
  ...records: readonly LogRecord[]
): Promise<void> {
  await files.append(run, LOG_FILE, logText(records))
}

/** The lines of records, as they stand in the file and in an export. */
export function logText(records: readonly LogRecord[]): string {
  return records.map((record) => `${JSON.stringify(record, writeNumber)}\n`).join('')
}

function writeNumber(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

/**
 * Everything a run wrote down, in order. A last line that is torn, as a crash leaves it, counts as never written.
 *
 * Throws: CheckpointError for any other line that cannot be understood.
 */
export async function readLog(files: RunFiles, run: string): Promise<LogRecord[]> {
  const lines = linesOf((await files.read(run, LOG_FILE)) ?? new Uint8Array())
  return lines.flatMap(({ record, isWhole }, i) => {
    if (record) return [record]
    if (i === lines.length - 1 && !isWhole) return []
    throw new CheckpointError(
      `${LOG_FILE}: expected a record in line ${i + 1}, got something else; the file was changed or the disk is damaged. ` +
        'Going on with the run leaves such lines out.',
    )
  })
}

/**
 * Drops what was written down behind a step, torn lines too, so that a run which goes on from there writes it anew.
 *
 * Returns: the records that stay.
 */
export async function truncateLog(files: RunFiles, run: string, step: number): Promise<LogRecord[]> {
  const bytes = await files.read(run, LOG_FILE)
  if (!bytes) return []
  const lines = linesOf(bytes)
  const kept = lines.filter(({ record, isWhole }) => isWhole && record && record.step <= step)
  const isHead = kept.every((line, i) => line === lines[i])
  const end = isHead ? (kept.at(-1)?.end ?? 0) : undefined
  const records = kept.map(({ record }) => record!)
  if (end === undefined) {
    await files.write(run, LOG_FILE, new TextEncoder().encode(logText(records)))
  } else if (end < bytes.byteLength) {
    await files.truncate(run, LOG_FILE, end)
  }
  return records
}

interface Line {
  readonly record: LogRecord | undefined
  /** One past its newline. */
  readonly end: number
  /** Ends in a newline. */
  readonly isWhole: boolean
}

function linesOf(bytes: Uint8Array): Line[] {
  const lines: Line[] = []
  for (let start = 0; start < bytes.byteLength;) {
    const newline = bytes.indexOf(0x0a, start)
    const isWhole = newline >= 0
    const end = isWhole ? newline + 1 : bytes.byteLength
    lines.push({ record: parseLine(bytes.subarray(start, isWhole ? newline : end)), end, isWhole })
    start = end
  }
  return lines
}

type Kind = 'number' | 'string' | 'numbers'

/** Fields of each type of record; those that end in `?` may be absent. */
const FIELDS: Readonly<Record<LogRecord['type'], Readonly<Record<string, Kind>>>> = {
  step: {
    step: 'number',
    loss: 'number',
    microLosses: 'numbers',
    lr: 'number',
    'samplerLr?': 'number',
    gradNorm: 'number',
    tokens: 'number',
    learnedTokens: 'number',
    samples: 'number',
    ms: 'number',
  },
  evaluation: { step: 'number', loss: 'number', samples: 'number' },
  caption: { step: 'number', row: 'number', image: 'string', truth: 'string', caption: 'string' },
}

function parseLine(bytes: Uint8Array): LogRecord | undefined {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
  if (typeof json !== 'object' || json === null) return undefined
  const line = json as Record<string, unknown>
  const type = line.type
  if (typeof type !== 'string' || !Object.hasOwn(FIELDS, type)) return undefined
  const record: Record<string, unknown> = { type }
  for (const [field, kind] of Object.entries(FIELDS[type as LogRecord['type']])) {
    const name = field.replace('?', '')
    if (line[name] === undefined && name !== field) continue
    record[name] = readAs(kind, line[name])
    if (record[name] === undefined) return undefined
  }
  if (line.skipped === true) record.skipped = true
  return record as unknown as LogRecord
}

function readAs(kind: Kind, value: unknown): unknown {
  if (kind === 'string') return typeof value === 'string' ? value : undefined
  if (kind === 'number') return readNumber(value)
  if (!Array.isArray(value)) return undefined
  const numbers = value.map(readNumber)
  return numbers.includes(undefined) ? undefined : numbers
}

function readNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : undefined
}

/**
 * Exponential mean of a curve, without the pull towards 0 at its beginning: the n-th value is
 * (1 - beta) * sum(beta^(n - i) * x_i) / (1 - beta^n). Values that are not finite take no part: the mean stays what it
 * was, NaN before the first one.
 *
 * Source: Kingma and Ba 2014, section 3, as TensorBoard (line-chart smoothing) and fastai (AvgSmoothLoss) have it.
 */
export function smoothed(losses: readonly number[], beta = 0.98): number[] {
  let mean = 0
  let weight = 0
  return losses.map((loss) => {
    if (Number.isFinite(loss)) {
      mean = beta * mean + (1 - beta) * loss
      weight = beta * weight + (1 - beta)
    }
    return mean / weight
  })
}

const COLUMNS = [
  'step',
  'loss',
  'smoothed_loss',
  'learning_rate',
  'sampler_learning_rate',
  'grad_norm',
  'tokens',
  'learned_tokens',
  'samples',
  'ms',
  'validation_loss',
] as const

/**
 * A table with one row a step; validation loss stands with its step, or in a row of its own where there is none, as
 * before the first. Captions are left out.
 *
 * Source: RFC 4180. Units: `ms` milliseconds, losses nats.
 */
export function logCsv(records: readonly LogRecord[]): string {
  const steps = records.filter((record) => record.type === 'step')
  const means = smoothed(steps.map(({ loss }) => loss))
  const rows = new Map<number, (number | undefined)[]>()
  for (const [i, record] of steps.entries()) {
    const { step, loss, lr, samplerLr, gradNorm, tokens, learnedTokens, samples, ms } = record
    rows.set(step, [step, loss, means[i], lr, samplerLr, gradNorm, tokens, learnedTokens, samples, ms])
  }
  for (const record of records) {
    if (record.type !== 'evaluation') continue
    const row = rows.get(record.step) ?? [record.step]
    row[COLUMNS.indexOf('validation_loss')] = record.loss
    rows.set(record.step, row)
  }
  const sorted = [...rows.values()].sort((a, b) => a[0]! - b[0]!)
  // No field holds a comma, a quote or a line's end: nothing is quoted.
  const lines = sorted.map((row) => COLUMNS.map((_, i) => row[i] ?? '').join(','))
  return [COLUMNS.join(','), ...lines, ''].join('\r\n')
}
