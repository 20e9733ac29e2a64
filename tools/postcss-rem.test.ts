import postcss from 'postcss'
import { describe, expect, test } from 'vitest'
import { remPlugin, remToVariable } from './postcss-rem.mjs'

describe('remToVariable', () => {
  test.each([
    ['1rem', 'calc(1 * var(--rem))'],
    ['.5rem', 'calc(.5 * var(--rem))'],
    ['-0.25rem', 'calc(-0.25 * var(--rem))'],
    ['0rem', '0px'],
    ['0 auto 1.5REM', '0 auto calc(1.5 * var(--rem))'],
    ['600 1rem/1.4 serif', '600 calc(1 * var(--rem))/1.4 serif'],
    ['calc(100% - 2rem)', 'calc(100% - calc(2 * var(--rem)))'],
    ['calc(2*1rem)', 'calc(2*calc(1 * var(--rem)))'],
    ['min(40rem, 0rem + 5vw)', 'min(calc(40 * var(--rem)), 0px + 5vw)'],
    ['var(--gap, 1rem)', 'var(--gap, calc(1 * var(--rem)))'],
  ])('%s', (value, expected) => expect(remToVariable(value)).toBe(expected))

  test.each([
    '16px',
    '1em',
    'var(--rem)',
    'var(--step-1rem)',
    'url(a-1rem.png)',
    'url("1rem.png")',
    '"1rem"',
  ])('%s stays', (value) => expect(remToVariable(value)).toBe(value))
})

test('declarations change, conditions of at-rules do not', async () => {
  const { css } = await postcss([remPlugin()]).process(
    '@media (min-width: 40rem) { a { --gap: 2rem; margin: 1rem } }',
    {
      from: undefined,
    },
  )
  expect(css).toBe(
    '@media (min-width: 40rem) { a { --gap: calc(2 * var(--rem)); margin: calc(1 * var(--rem)) } }',
  )
})
