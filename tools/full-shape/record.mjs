// One line a measurement in a table of a Markdown file, newest values in place of older ones of the same kind.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/**
 * Puts a row into the table between `<!-- NAME -->` and `<!-- /NAME -->`; a row whose first `keys` cells are the same is
 * replaced.
 *
 * @param {string} file
 * @param {string} name
 * @param {string[]} header
 * @param {string[]} row
 * @param {number} keys
 */
export function recordRow(file, name, header, row, keys) {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [before, inside = '', after = ''] = cut(text, begin, end)
  if (before === undefined || !text.includes(end)) {
    throw new Error(`${file}: expected a table between "${begin}" and "${end}"; add the two lines`)
  }
  const rows = inside
    .split('\n')
    .filter((text) => text.startsWith('|'))
    .slice(2)
    .map((text) =>
      text
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
  const isSame = (/** @type {string[]} */ other) => row.slice(0, keys).every((cell, i) => cell === other[i])
  const table = [header, ...rows.filter((other) => !isSame(other)), row]
  // Padded as Prettier pads tables.
  const widths = header.map((_, i) => Math.max(3, ...table.map((cells) => cells[i]?.length ?? 0)))
  const line = (/** @type {string[]} */ cells, fill = ' ') =>
    `| ${widths.map((width, i) => (cells[i] ?? '').padEnd(width, fill)).join(' | ')} |`
  const [first, ...others] = table.map((cells) => line(cells))
  const lines = [first, line([], '-'), ...others].join('\n')
  writeFileSync(file, `${before}${begin}\n\n${lines}\n\n${end}${after}`)
}

/** @param {string} text @param {string} begin @param {string} end */
function cut(text, begin, end) {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) return []
  return [text.slice(0, from), text.slice(from + begin.length, to), text.slice(to + end.length)]
}
