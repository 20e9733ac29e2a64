import { expect, test } from 'vitest'
import {
  formatDate,
  formatLoss,
  formatNumber,
  formatPlanTime,
  formatRate,
  formatSteps,
  modelName,
} from './numbers'

test.each([
  [formatLoss, 2.34711, '2.347'],
  [formatLoss, 123.456, '123.5'],
  [formatLoss, NaN, '–'],
  [formatLoss, undefined, '–'],
  [formatRate, 0.001, '1e-3'],
  [formatRate, 0.000342, '3.42e-4'],
  [formatRate, 0.00035, '3.5e-4'],
  [formatRate, 1, '1'],
  [formatRate, 0, '0'],
  [formatRate, undefined, '–'],
  [formatNumber, 0.4237, '0.424'],
  [formatNumber, 12.34, '12.3'],
  [formatNumber, 1e-5, '1.00e-5'],
  [formatNumber, 123456, '1.23e+5'],
  [formatNumber, Infinity, '–'],
  [formatSteps, 11.32, '11.3 steps/s'],
  [formatSteps, 0.25, '4 s a step'],
  [formatSteps, undefined, '–'],
  [formatSteps, 0, '–'],
] as const)('%o writes %d as %s', (format, value, text) => {
  expect(format(value)).toBe(text)
})

test('a model at an address is called by its folder', () => {
  expect(modelName('https://x.example/app/models/trilobite-nano-stage1/')).toBe('trilobite-nano-stage1')
  expect(modelName('https://x.example/')).toBe('x.example')
  expect(modelName('owner/name')).toBe('owner/name')
  expect(modelName('my folder')).toBe('my folder')
})

test('a date has its day and time', () => {
  expect(formatDate(new Date(2026, 0, 5, 13, 0).getTime())).toMatch(/^Jan 5, 2026, 1:00\sPM$/)
})

test('a plan that was not measured says so', () => {
  expect(formatPlanTime({ fits: true, secondsTotal: 150, secondsPerStep: 0.084 })).toBe(
    '3 min, validations apart; 84 ms a step as measured here',
  )
  expect(formatPlanTime({ fits: false })).toBe('not measured: it does not fit')
  expect(formatPlanTime({ fits: true })).toBe('not measured')
})
