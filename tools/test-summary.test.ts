import { describe, expect, test } from 'vitest'
import { playwrightCounts, summarise, vitestCounts } from './test-summary.mjs'

const lastLine = (text: string) => text.split('\n').at(-1)

describe('test summary', () => {
  test('adds up suites and ends with one plain line', () => {
    const { text, ok } = summarise([
      { suite: 'unit', passed: 10, failed: 0, skipped: 0, seconds: 1.25 },
      { suite: 'gpu on lavapipe', passed: 3, failed: 0, skipped: 2, seconds: 60 },
    ])
    expect(ok).toBe(true)
    expect(lastLine(text)).toBe('13 passed, 0 failed, 2 skipped')
    expect(text).toMatch(/^gpu on lavapipe +3 +0 +2 +60\.0$/m)
  })

  test('a failure fails', () => {
    const { text, ok } = summarise([{ suite: 'unit', passed: 10, failed: 1, skipped: 0, seconds: 1 }])
    expect(ok).toBe(false)
    expect(lastLine(text)).toBe('10 passed, 1 failed')
  })

  test('a suite that ran nothing fails, unless a note says why', () => {
    const unit = { suite: 'unit', passed: 1, failed: 0, skipped: 0, seconds: 1 }
    const empty = { suite: 'e2e', passed: 0, failed: 0, skipped: 4, seconds: 1 }
    expect(summarise([unit, empty]).ok).toBe(false)
    expect(summarise([unit, empty]).text).toContain('ran no test')
    expect(summarise([unit, { ...empty, note: 'no test files yet' }]).ok).toBe(true)
  })

  test('nothing at all is a failure, notes or not', () => {
    const empty = { suite: 'e2e', passed: 0, failed: 0, skipped: 0, seconds: 0, note: 'no test files yet' }
    expect(summarise([empty]).ok).toBe(false)
  })

  test('reads the report of vitest', () => {
    const file = (status: string, ...tests: string[]) => ({
      status,
      assertionResults: tests.map((state) => ({ status: state })),
    })
    const report = {
      numTotalTests: 5,
      numPassedTests: 2,
      numFailedTests: 1,
      testResults: [file('passed', 'passed', 'passed'), file('failed', 'failed'), file('failed')],
    }
    expect(vitestCounts(report, 1)).toEqual({ passed: 2, failed: 2, skipped: 2 })
    const green = {
      numTotalTests: 1,
      numPassedTests: 1,
      numFailedTests: 0,
      testResults: [file('passed', 'passed')],
    }
    expect(vitestCounts(green, 0)).toEqual({ passed: 1, failed: 0, skipped: 0 })
    // An unhandled error, a fork that crashed.
    expect(vitestCounts(green, 1)).toEqual({ passed: 1, failed: 1, skipped: 0 })
    expect(vitestCounts(undefined, 139)).toEqual({ passed: 0, failed: 1, skipped: 0 })
  })

  test('reads the report of Playwright', () => {
    const stats = { expected: 3, flaky: 1, unexpected: 2, skipped: 1 }
    expect(playwrightCounts({ stats, errors: [{}] }, 1)).toEqual({ passed: 4, failed: 3, skipped: 1 })
    expect(playwrightCounts({ stats: { ...stats, unexpected: 0 }, errors: [] }, 1).failed).toBe(1)
    expect(playwrightCounts(undefined, 1).failed).toBe(1)
  })
})
