// Counts from the reports of vitest and Playwright, and the table at the end of npm test.

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 * @typedef {Counts & { suite: string, seconds: number, note?: string }} Row  a note replaces the rule that a suite must run tests
 */

/** @type {Counts} */
export const noResult = { passed: 0, failed: 0, skipped: 0 }

/**
 * From vitest's JSON report. A file that could not be loaded and an error outside of any test count as a failure each.
 * @param {any} report   undefined where vitest wrote none
 * @param {number} status  its exit status
 * @returns {Counts}
 */
export function vitestCounts(report, status) {
  if (!report) return { ...noResult, failed: 1 }
  const passed = Number(report.numPassedTests)
  const brokenFiles = report.testResults.filter(
    (/** @type {any} */ file) =>
      file.status === 'failed' &&
      !file.assertionResults.some((/** @type {any} */ test) => test.status === 'failed'),
  ).length
  const failed = Number(report.numFailedTests) + brokenFiles
  const skipped = Number(report.numTotalTests) - passed - Number(report.numFailedTests)
  return { passed, failed: failed === 0 && status !== 0 && passed + skipped > 0 ? 1 : failed, skipped }
}

/**
 * From Playwright's JSON report. A test that passed only when tried again counts as passed.
 * @param {any} report
 * @param {number} status
 * @returns {Counts}
 */
export function playwrightCounts(report, status) {
  if (!report) return { ...noResult, failed: 1 }
  const { expected, flaky, unexpected, skipped } = report.stats
  const failed = unexpected + report.errors.length
  return { passed: expected + flaky, failed: failed === 0 && status !== 0 ? 1 : failed, skipped }
}

/**
 * The table, and whether all is well: nothing failed, and each suite (but those with a note) ran a test.
 * @param {Row[]} rows
 * @returns {{ text: string, ok: boolean }}
 */
export function summarise(rows) {
  const judged = rows.map((row) => {
    const isEmpty = row.note === undefined && row.passed + row.failed === 0
    return isEmpty ? { ...row, failed: 1, note: 'ran no test' } : row
  })
  const sum = judged.reduce(
    (total, row) => ({
      passed: total.passed + row.passed,
      failed: total.failed + row.failed,
      skipped: total.skipped + row.skipped,
    }),
    noResult,
  )
  const cells = [['suite', 'passed', 'failed', 'skipped', 'seconds', '']]
  for (const row of judged) {
    const numbers = [row.passed, row.failed, row.skipped].map(String)
    cells.push([row.suite, ...numbers, row.seconds.toFixed(1), row.note ?? ''])
  }
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const lines = cells.map((row) =>
    row
      .map((cell, column) => {
        if (column === 0) return cell.padEnd(widths[0] ?? 0)
        return column < 5 ? cell.padStart(widths[column] ?? 0) : cell
      })
      .join('  ')
      .trimEnd(),
  )
  const noneRan = sum.passed + sum.failed === 0
  if (noneRan) lines.push('No test ran at all.')
  const last = `${sum.passed} passed, ${sum.failed} failed${sum.skipped > 0 ? `, ${sum.skipped} skipped` : ''}`
  return { text: [...lines, '', last].join('\n'), ok: sum.failed === 0 && !noneRan }
}
