import { describe, expect, test } from 'vitest'
import { nextOf, Random, randomNormals, randomUniform } from './random'

describe('xoshiro128**', () => {
  test('gives the numbers of its definition', () => {
    // Made with Python's unbounded integers from the authors' definition.
    const state = Uint32Array.of(1, 2, 3, 4)
    expect(Array.from({ length: 10 }, () => nextOf(state))).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ])
  })

  test('is the same for equal seeds and streams, and another for others', () => {
    const first = (seed: number, stream: string) => {
      const random = new Random(seed, stream)
      return Array.from({ length: 4 }, () => random.next())
    }
    // Written down: a run must draw the same numbers after an update of this program.
    expect(first(42, 'order 0')).toEqual([707627800, 3858732606, 1116856109, 132473177])
    const all = [
      first(42, 'order 0'),
      first(42, 'order 1'),
      first(43, 'order 0'),
      first(0, ''),
      first(0, 'order 0'),
      first(2 ** 32 - 1, 'order 0'),
    ]
    expect(new Set(all.flat()).size).toBe(24)
  })
})

test('uniform numbers lie in [0, 1), also as f32, and spread evenly', () => {
  const numbers = randomUniform(7, 'u', 100_000)
  const counts = new Array<number>(16).fill(0)
  for (const x of numbers) {
    if (x < 0 || x >= 1) throw new Error(`${x} is outside`)
    counts[Math.floor(x * 16)]!++
  }
  // Chi-squared of 15 degrees of freedom is above 37.7 once in a thousand.
  expect(counts.reduce((sum, n) => sum + (n - 6250) ** 2 / 6250, 0)).toBeLessThan(37.7)
  const some = randomUniform(7, 'u', 1000, -0.25, 0.25)
  expect(Math.min(...some)).toBeLessThan(-0.24)
  expect(Math.max(...some)).toBeGreaterThan(0.24)
  expect(Math.max(...some.map(Math.abs))).toBeLessThanOrEqual(0.25)
})

test('normal numbers have the moments of their distribution', () => {
  const numbers = randomNormals(7, 'n', 100_000, 2)
  const moment = (power: number) => numbers.reduce((sum, x) => sum + (x / 2) ** power, 0) / numbers.length
  // Four deviations of each mean.
  expect(Math.abs(moment(1))).toBeLessThan(4 / Math.sqrt(1e5))
  expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / 1e5))
  expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15 / 1e5))
  expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / 1e5))
  // Neighbours of a pair are unrelated.
  let product = 0
  for (let i = 0; i + 1 < numbers.length; i += 2) product += (numbers[i]! * numbers[i + 1]!) / 4
  expect(Math.abs(product / 5e4)).toBeLessThan(4 / Math.sqrt(5e4))
})

test('below is even where n does not divide 2^32, and refuses what is no count', () => {
  const random = new Random(1, 'below')
  // Without drawing again, a third of these would be twice as likely as the others.
  const n = 3 * 2 ** 30
  let low = 0
  for (let i = 0; i < 30_000; i++) if (random.below(n) < 2 ** 30) low++
  expect(Math.abs(low - 10_000)).toBeLessThan(4 * Math.sqrt((30_000 * 2) / 9))
  expect(random.below(1)).toBe(0)
  for (const bad of [0, -1, 1.5, NaN, 2 ** 33]) expect(() => random.below(bad)).toThrow(RangeError)
})

test('every order of four is as likely as another', () => {
  const random = new Random(5, 'shuffle')
  const counts = new Map<string, number>()
  for (let i = 0; i < 24_000; i++) {
    const order = random.shuffle(Uint32Array.of(0, 1, 2, 3)).join('')
    counts.set(order, (counts.get(order) ?? 0) + 1)
  }
  expect(counts.size).toBe(24)
  // Chi-squared of 23 degrees of freedom is above 49.7 once in a thousand.
  expect([...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(49.7)
})
