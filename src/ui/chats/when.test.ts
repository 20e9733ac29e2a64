import { expect, test } from 'vitest'
import { when } from './when'

const at = (...[year, month, day, hour, minute]: [number, number, number, number, number]) =>
  new Date(year, month - 1, day, hour, minute).getTime()

test.each([
  [at(2026, 3, 4, 14, 5), '14:05'],
  [at(2026, 3, 3, 23, 59), '3 Mar'],
  [at(2026, 1, 1, 0, 0), '1 Jan'],
  [at(2025, 12, 31, 23, 0), '31 Dec 2025'],
])('a time is told as near as it is', (time, told) =>
  expect(when(time, 'en-GB', at(2026, 3, 4, 18, 0))).toBe(told),
)
