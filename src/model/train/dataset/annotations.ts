import { DatasetError } from '../../errors'
import { megabytes, throwIfAborted, type RandomAccess } from './access'
import { fingerprintOf } from './fingerprint'
import { parseJsonRow, type ParsedRow } from './row'
import { indexRows, type ReadOptions, type RowIndex } from './row-index'
import { JsonArrayScanner, LineScanner, TableScanner } from './scanners'
import { parseTableRow, tableLayout } from './table'

/** Rows of a dataset, read when they are asked for. */
export interface Rows {
  readonly length: number
  readonly fingerprint: string
  read(row: number): Promise<ParsedRow>
  /** All rows in order, in batches that fit memory. Throws: AbortError. */
  batches(signal: AbortSignal | undefined): AsyncIterable<readonly ParsedRow[]>
}

/** A longer row is no caption: something is wrong with its file. */
export const MAX_ROW_BYTES = 4 << 20
/** Rows that are parsed at once while all are looked at. */
const BATCH_ROWS = 512
const BATCH_BYTES = 1 << 20
/** Of the file's beginning and end: what the fingerprint is over, and where a table's header must end. */
const EDGE_BYTES = 64 << 10

interface Format {
  readonly name: 'json' | 'jsonl' | 'table'
  /** Where rows begin: behind a byte order mark. */
  readonly start: number
  readonly headerRows: number
  parse(text: string, row: number): ParsedRow
}

/**
 * Opens a file of rows, JSON, JSONL, CSV or TSV by its content and name, and finds where each row stands.
 *
 * Throws: DatasetError where the file is none of these or holds no rows; AbortError.
 */
export async function openAnnotations(
  access: RandomAccess,
  name: string,
  options: ReadOptions = {},
): Promise<Rows> {
  throwIfAborted(options.signal)
  const head = await access.read(0, Math.min(EDGE_BYTES, access.sizeBytes))
  const tail = await access.read(Math.max(0, access.sizeBytes - EDGE_BYTES), access.sizeBytes)
  const { format, scanner } = formatOf(head, name)
  const index = await indexRows(access, format.start, scanner, options)
  const length = index.length - format.headerRows
  if (length <= 0) throw new DatasetError(`dataset: ${name} holds no rows; expected at least one`)
  const fingerprint = await fingerprintOf(
    [format.name, String(length), String(access.sizeBytes)],
    [head, tail],
  )
  const rows = new IndexedRows(access, name, index, format, length, fingerprint)
  if (format.name === 'jsonl' && length > 1 && name.toLowerCase().endsWith('.json'))
    await expectLines(rows, name)
  return rows
}

function formatOf(head: Uint8Array, name: string) {
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
    throw new DatasetError(`dataset: ${name} is UTF-16 text; save it as UTF-8`)
  }
  const start = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0
  if (/\.[ct]sv$/i.test(name)) {
    const layout = tableLayout(head.subarray(start), name)
    const format: Format = {
      name: 'table',
      start,
      headerRows: layout.header ? 1 : 0,
      parse: (text, row) => parseTableRow(text, row, layout),
    }
    return { format, scanner: new TableScanner(layout.delimiter.charCodeAt(0)) }
  }
  const first = head.subarray(start).find((byte) => byte > 32)
  const character = first === undefined ? 'nothing' : String.fromCharCode(first)
  if (character === '[') {
    const format: Format = { name: 'json', start, headerRows: 0, parse: parseJsonRow }
    return { format, scanner: new JsonArrayScanner(name) }
  }
  if (character === '{') {
    const format: Format = { name: 'jsonl', start, headerRows: 0, parse: parseJsonRow }
    return { format, scanner: new LineScanner() }
  }
  throw new DatasetError(
    `dataset: ${name} begins with ${character}; expected [ (a JSON array of rows) or { (one object a line)`,
  )
}

/** Throws: DatasetError for one object over several lines, whose every line would be listed as broken. */
async function expectLines(rows: Rows, name: string): Promise<void> {
  const { problem } = await rows.read(0)
  if (problem?.startsWith('is not JSON')) {
    throw new DatasetError(
      `dataset: ${name} is one object over several lines; expected an array of rows, or one object a line`,
    )
  }
}

class IndexedRows implements Rows {
  constructor(
    private readonly access: RandomAccess,
    private readonly name: string,
    private readonly index: RowIndex,
    private readonly format: Format,
    readonly length: number,
    readonly fingerprint: string,
  ) {}

  async read(row: number): Promise<ParsedRow> {
    const at = row + this.format.headerRows
    if (this.index.sizeBytes(at) > MAX_ROW_BYTES) return this.tooLong(row)
    return this.decode(await this.access.read(this.index.start(at), this.index.end(at)), row)
  }

  async *batches(signal: AbortSignal | undefined): AsyncIterable<readonly ParsedRow[]> {
    const { index, format } = this
    let row = 0
    while (row < this.length) {
      throwIfAborted(signal)
      const first = row + format.headerRows
      const start = index.start(first)
      let count = 1
      while (
        count < BATCH_ROWS &&
        row + count < this.length &&
        index.end(first + count) - start <= BATCH_BYTES
      ) {
        count++
      }
      if (count === 1) yield [await this.read(row)]
      else {
        const bytes = await this.access.read(start, index.end(first + count - 1))
        yield Array.from({ length: count }, (_, i) =>
          this.decode(bytes.subarray(index.start(first + i) - start, index.end(first + i) - start), row + i),
        )
      }
      row += count
    }
  }

  private decode(bytes: Uint8Array, row: number): ParsedRow {
    if (bytes.length === 0) return { id: String(row), image: undefined, problem: 'is empty' }
    let text: string
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      return { id: String(row), image: undefined, problem: `is not UTF-8 text; save ${this.name} as UTF-8` }
    }
    return this.format.parse(text, row)
  }

  private tooLong(row: number): ParsedRow {
    const size = megabytes(this.index.sizeBytes(row + this.format.headerRows))
    return {
      id: String(row),
      image: undefined,
      problem: `is ${size} long, at most ${megabytes(MAX_ROW_BYTES)} are read; is a quote or a line's end missing?`,
    }
  }
}
