// Makes lengths of an embedded element independent of the page's root font size.

import valueParser from 'postcss-value-parser'

const REM = /(^|[^\w.-])([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)rem\b/gi

/**
 * A CSS value with `N rem` as `calc(N * var(--rem))`; `0rem` is `0px`, which unlike `0` may stand in calc().
 * @param {string} value
 */
export function remToVariable(value) {
  const parsed = valueParser(value)
  parsed.walk((node) => {
    if (node.type === 'function' && node.value.toLowerCase() === 'url') return false
    if (node.type !== 'word') return
    node.value = node.value.replace(REM, (_, before, number) =>
      Number(number) === 0 ? `${before}0px` : `${before}calc(${number} * var(--rem))`,
    )
  })
  return parsed.toString()
}

/** @returns {import('postcss').Plugin} */
export const remPlugin = () => ({
  postcssPlugin: 'rem-to-variable',
  Declaration(declaration) {
    if (/rem\b/i.test(declaration.value)) declaration.value = remToVariable(declaration.value)
  },
})
