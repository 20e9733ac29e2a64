// Tables of measurements in a Markdown file.

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
  const [before, inside = '', after, begin, end] = between(file, name)
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
  writeFileSync(
    file,
    `${before}${begin}\n\n${table([header, ...rows.filter((other) => !isSame(other)), row])}\n\n${end}${after}`,
  )
}

/**
 * Puts a whole table and what was measured in place of what stands between `<!-- NAME -->` and `<!-- /NAME -->`.
 *
 * @param {string} file
 * @param {string} name
 * @param {string} caption
 * @param {string[]} header
 * @param {string[][]} rows
 */
export function recordTable(file, name, caption, header, rows) {
  const [before, , after, begin, end] = between(file, name)
  writeFileSync(file, `${before}${begin}\n\n${caption}\n\n${table([header, ...rows])}\n\n${end}${after}`)
}

/** Padded as Prettier pads tables. @param {string[][]} rows  the first is the header */
function table(rows) {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(3, ...rows.map((cells) => cells[i]?.length ?? 0)))
  const line = (/** @type {string[]} */ cells, fill = ' ') =>
    `| ${widths.map((width, i) => (cells[i] ?? '').padEnd(width, fill)).join(' | ')} |`
  const [first, ...others] = rows.map((cells) => line(cells))
  return [first, line([], '-'), ...others].join('\n')
}

/**
 * What stands before, between and after a table's marks, and the marks.
 * @param {string} file
 * @param {string} name
 */
function between(file, name) {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) {
    throw new Error(`${file}: expected a table between "${begin}" and "${end}"; add the two lines`)
  }
  return [text.slice(0, from), text.slice(from + begin.length, to), text.slice(to + end.length), begin, end]
}
