import Papa from 'papaparse'
import { describe, expect, test } from 'vitest'
import { RowIndex, type RowScanner } from './row-index'
import { JsonArrayScanner, LineScanner, TableScanner } from './scanners'
import { numbers, utf8 } from './testing/bytes'

type Random = ReturnType<typeof numbers>

/** Texts of the rows that a scanner finds, fed in pieces of up to `most` bytes. */
function scan(scanner: RowScanner, bytes: Uint8Array, random: Random, most = 7): string[] {
  const rows = new RowIndex()
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + 1 + random(most))
    scanner.push(bytes.slice(at, end), at, rows)
    at = end
  }
  scanner.finish(bytes.length, rows)
  return Array.from({ length: rows.length }, (_, row) =>
    new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(rows.start(row), rows.end(row))),
  )
}

const CHARACTERS = [
  'a',
  ' ',
  '"',
  '\\',
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '\n',
  '\r',
  '\t',
  'é',
  '漢',
  '🦐',
  '\u2028',
  '/',
]

function randomText(random: Random): string {
  return Array.from({ length: random(12) }, () => CHARACTERS[random(CHARACTERS.length)]).join('')
}

function randomValue(random: Random, depth: number): unknown {
  const kind = random(depth > 3 ? 4 : 6)
  if (kind === 0) return randomText(random)
  if (kind === 1) return random(1000) / 8 - 20
  if (kind === 2) return random(2) === 0
  if (kind === 3) return null
  const values = Array.from({ length: random(4) }, () => randomValue(random, depth + 1))
  return kind === 4 ? values : Object.fromEntries(values.map((value) => [randomText(random), value]))
}

describe('JSON array scanner', () => {
  test('finds what JSON.parse finds, in pieces of any size', () => {
    const random = numbers(1)
    for (let round = 0; round < 1500; round++) {
      const rows = Array.from({ length: random(6) }, () => randomValue(random, 0))
      const text = `${' \n'.repeat(random(2))}${JSON.stringify(rows, null, random(3))}${'\r\n'.repeat(random(3))}`
      const found = scan(new JsonArrayScanner('x'), utf8(text), random)
      expect(found.map((row) => JSON.parse(row) as unknown)).toEqual(rows)
    }
  })

  test('never takes a broken document for a whole one', () => {
    const random = numbers(2)
    let broken = 0
    for (let round = 0; round < 3000; round++) {
      const rows = Array.from({ length: 1 + random(3) }, () => randomValue(random, 1))
      const characters = [...JSON.stringify(rows)]
      const at = random(characters.length)
      characters.splice(at, random(3), ...(random(2) ? [CHARACTERS[random(CHARACTERS.length)]!] : []))
      const text = characters.join('')
      let expected: unknown
      try {
        expected = JSON.parse(text)
      } catch {
        broken++
        const read = () =>
          scan(new JsonArrayScanner('x'), utf8(text), random).map((row) => JSON.parse(row) as unknown)
        expect(read, text).toThrow()
        continue
      }
      if (!Array.isArray(expected)) continue
      const found = scan(new JsonArrayScanner('x'), utf8(text), random)
      expect(found.map((row) => JSON.parse(row) as unknown)).toEqual(expected)
    }
    expect(broken).toBeGreaterThan(500)
  })

  test.each([
    ['{"a":1}', /expected an array, \[ first/],
    ['[1] 2', /nothing behind the closing \]/],
    ['[1}', /expected \] at the end/],
    ['[{"a":"b]', /ends within row 0/],
    ['[1, 2, {"a": [', /ends within row 2/],
    ['', /ends within row 0/],
  ])('says what is wrong with %s', (text, message) => {
    expect(() => scan(new JsonArrayScanner('x'), utf8(text), numbers(3))).toThrow(message)
  })

  test('lists empty elements as rows, which cannot be parsed', () => {
    expect(scan(new JsonArrayScanner('x'), utf8('[1,,2,]'), numbers(4))).toEqual(['1', '', '2', ''])
    expect(scan(new JsonArrayScanner('x'), utf8(' [ ] '), numbers(4))).toEqual([])
  })
})

test('line scanner skips blank lines and takes both line ends', () => {
  const random = numbers(5)
  for (let round = 0; round < 300; round++) {
    const lines = Array.from({ length: random(6) }, () =>
      random(3) === 0 ? ' '.repeat(random(3)) : JSON.stringify({ text: randomText(random) }),
    )
    const text = lines.join(random(2) ? '\n' : '\r\n') + (random(2) ? '\n' : '')
    const found = scan(new LineScanner(), utf8(text), random)
    expect(found.map((row) => row.trimEnd())).toEqual(lines.filter((line) => line.trim() !== ''))
  }
})

test('table scanner finds the rows that a CSV parser finds', () => {
  const random = numbers(6)
  for (let round = 0; round < 1000; round++) {
    const delimiter = [',', ';', '\t'][random(3)]!
    const newline = random(2) ? '\n' : '\r\n'
    const table = Array.from({ length: 1 + random(5) }, () => [
      'x',
      ...Array.from({ length: 1 + random(3) }, () => randomText(random)),
    ])
    const text =
      Papa.unparse(table, { delimiter, newline, quotes: random(2) === 0 }) + newline.repeat(random(3))
    const found = scan(new TableScanner(delimiter.charCodeAt(0)), utf8(text), random)
    const parsed = found.map((row) => Papa.parse<string[]>(row, { delimiter, newline: '\n' }).data[0])
    expect(parsed).toEqual(table)
  }
})
