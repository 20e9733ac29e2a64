import { describe, expect, test } from 'vitest'
import { CheckpointError } from '../errors'
import type { LogRecord } from './definition'
import { appendLog, logCsv, logText, readLog, smoothed, truncateLog } from './log'
import { LOG_FILE, MemoryRuns } from './run-store'
import { evaluationRecord, stepRecord } from './testing/runs'

const caption: LogRecord = {
  type: 'caption',
  step: 2,
  row: 7,
  image: 'images/7.png',
  truth: 'a "red" house,\nby the lake',
  caption: 'ein Häuschen \u{1f3e0}',
}

async function logOf(text: string): Promise<MemoryRuns> {
  const files = new MemoryRuns()
  await files.append('a', LOG_FILE, text)
  return files
}

describe('the log', () => {
  test('gives back every record', async () => {
    const files = new MemoryRuns()
    expect(await readLog(files, 'a')).toEqual([])
    const records: LogRecord[] = [
      evaluationRecord(0),
      { ...stepRecord(1), samplerLr: 1e-4 },
      { ...stepRecord(2), loss: NaN, microLosses: [1, -Infinity], gradNorm: Infinity, skipped: true },
      caption,
    ]
    await appendLog(files, 'a', records[0]!)
    await appendLog(files, 'a', ...records.slice(1))
    expect(await readLog(files, 'a')).toEqual(records)
    expect(logText(records).split('\n')).toHaveLength(5)
    expect(logText(records)).toContain('"loss":"NaN","microLosses":[1,"-Infinity"]')
  })

  test('is read up to a line that is torn, wherever that is', async () => {
    const whole = logText([stepRecord(1), caption])
    const last = logText([stepRecord(3)])
    const bytes = new TextEncoder().encode(whole + last)
    const wholeBytes = bytes.byteLength - last.length
    for (let end = wholeBytes; end < bytes.byteLength; end++) {
      const files = new MemoryRuns()
      await files.write('a', LOG_FILE, bytes.subarray(0, end))
      // Without its newline alone, the record is all there.
      const expected = end === bytes.byteLength - 1 ? 3 : 2
      expect(await readLog(files, 'a')).toHaveLength(expected)
      await truncateLog(files, 'a', 3)
      await appendLog(files, 'a', stepRecord(3))
      expect(await readLog(files, 'a')).toEqual([stepRecord(1), caption, stepRecord(3)])
    }
  })

  test.each([
    ['nonsense', 'x'],
    ['another type', '{"type":"note","step":1}'],
    [
      'a missing field',
      logText([stepRecord(2)])
        .replace('"lr"', '"rl"')
        .trim(),
    ],
    [
      'a wrong field',
      logText([evaluationRecord(2)])
        .replace(/"loss":[^,]*/, '"loss":"low"')
        .trim(),
    ],
    [
      'a wrong list',
      logText([stepRecord(2)])
        .replace('"microLosses":[', '"microLosses":[null,')
        .trim(),
    ],
    ['a bare number', '7'],
    ['an inherited name', '{"type":"constructor"}'],
  ])('tells of %s in its middle, which going on leaves out', async (_, line) => {
    const files = await logOf(
      `${logText([stepRecord(1)])}${line}\n${logText([stepRecord(2), stepRecord(3)])}`,
    )
    await expect(readLog(files, 'a')).rejects.toThrow(CheckpointError)
    await expect(readLog(files, 'a')).rejects.toThrow('log.jsonl: expected a record in line 2')
    expect(await truncateLog(files, 'a', 2)).toEqual([stepRecord(1), stepRecord(2)])
    expect(await readLog(files, 'a')).toEqual([stepRecord(1), stepRecord(2)])
  })

  test('drops what lies behind a step', async () => {
    const records = [evaluationRecord(0), stepRecord(1), stepRecord(2), caption, stepRecord(3), stepRecord(4)]
    for (const [step, count] of [
      [0, 1],
      [1, 2],
      [2, 4],
      [4, 6],
    ] as const) {
      const files = await logOf(logText(records))
      expect(await truncateLog(files, 'a', step)).toEqual(records.slice(0, count))
      expect(await readLog(files, 'a')).toEqual(records.slice(0, count))
    }
    expect(await truncateLog(new MemoryRuns(), 'a', 3)).toEqual([])
  })
})

describe('smoothed', () => {
  test('is the mean of all values so far, weighted by age', () => {
    const losses = [5, 3, 4, 1, 2]
    for (const beta of [0, 0.5, 0.98]) {
      const expected = losses.map((_, n) => {
        const weights = losses.slice(0, n + 1).map((_, i) => beta ** (n - i))
        const sum = (values: number[]) => values.reduce((a, b) => a + b, 0)
        return sum(weights.map((weight, i) => weight * losses[i]!)) / sum(weights)
      })
      smoothed(losses, beta).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 12))
    }
    expect(smoothed([7])).toEqual([7])
    expect(smoothed([])).toEqual([])
  })

  test('passes over what is not finite', () => {
    const [first, second, third] = smoothed([4, NaN, 2], 0.5)
    expect([first, second]).toEqual([4, 4])
    expect(third).toBe(smoothed([4, 2], 0.5)[1])
    expect(smoothed([Infinity, NaN, 3])).toEqual([NaN, NaN, 3])
  })
})

test('the table has a row a step, and validation beside it', () => {
  const table = logCsv([
    evaluationRecord(0),
    { ...stepRecord(1), samplerLr: 1e-4 },
    { ...stepRecord(2), loss: NaN, skipped: true },
    caption,
    evaluationRecord(2),
  ])
  expect(table.split('\r\n')).toEqual([
    'step,loss,smoothed_loss,learning_rate,sampler_learning_rate,grad_norm,tokens,learned_tokens,samples,ms,validation_loss',
    '0,,,,,,,,,,4.5',
    `1,5,5,${1e-3 / 3},0.0001,1.5,400,40,8,12.5,`,
    `2,NaN,5,${1e-3 / 3},,1.5,400,40,8,12.5,1.5`,
    '',
  ])
  expect(logCsv([])).toMatch(/^step,[a-z_,]+\r\n$/)
})
