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
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`
  const key = row.slice(0, keys).join(' | ')
  const rows = inside
    .split('\n')
    .filter((text) => text.startsWith('| '))
    .slice(2)
  const kept = rows.filter((text) => !text.startsWith(`| ${key} |`))
  const table = [line(header), line(header.map(() => '---')), ...kept, line(row)].join('\n')
  writeFileSync(file, `${before}${begin}\n\n${table}\n\n${end}${after}`)
}

/** @param {string} text @param {string} begin @param {string} end */
function cut(text, begin, end) {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) return []
  return [text.slice(0, from), text.slice(from + begin.length, to), text.slice(to + end.length)]
}
