import { DatasetError } from '../../errors'
import type { RowIndex, RowScanner } from './row-index'

// Bytes that decide in JSON and CSV are ASCII; in UTF-8 no other character contains them.
const LF = 10
const CR = 13
const SPACE = 32
const QUOTE = 34
const COMMA = 44
const BACKSLASH = 92
const OPEN_BRACKET = 91
const CLOSE_BRACKET = 93
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

/** One row a line; blank lines are none. */
export class LineScanner implements RowScanner {
  private rowStart = -1

  push(bytes: Uint8Array, offset: number, rows: RowIndex): void {
    let i = 0
    while (i < bytes.length) {
      if (this.rowStart < 0) {
        while (i < bytes.length && bytes[i]! <= SPACE) i++
        if (i === bytes.length) return
        this.rowStart = offset + i
      }
      const newline = bytes.indexOf(LF, i)
      if (newline < 0) return
      this.close(offset + newline, rows)
      i = newline + 1
    }
  }

  finish(sizeBytes: number, rows: RowIndex): void {
    if (this.rowStart >= 0) this.close(sizeBytes, rows)
  }

  private close(end: number, rows: RowIndex): void {
    rows.add(this.rowStart, end - this.rowStart)
    this.rowStart = -1
  }
}

/**
 * The elements of one JSON array, by their brackets, quotes and escapes alone. Elements and what stands between them
 * are the whole file, so a file that is not JSON either throws here or has an element that is not.
 */
export class JsonArrayScanner implements RowScanner {
  private depth = 0
  private inString = false
  private escaped = false
  /** Of the element that is open, or -1. */
  private rowStart = -1
  private afterComma = false
  private closed = false

  constructor(private readonly name: string) {}

  push(bytes: Uint8Array, offset: number, rows: RowIndex): void {
    let i = 0
    while (i < bytes.length) {
      if (this.inString) {
        i = this.skipString(bytes, i)
        continue
      }
      const byte = bytes[i]!
      if (byte > SPACE) this.read(byte, offset + i, rows)
      i++
    }
  }

  finish(_sizeBytes: number, rows: RowIndex): void {
    if (this.closed) return
    throw new DatasetError(
      `dataset: ${this.name} ends within row ${rows.length}, before the closing ]; ` +
        'is the file cut off, or is a quote missing there?',
    )
  }

  private read(byte: number, position: number, rows: RowIndex): void {
    if (this.closed) throw this.malformed('nothing behind the closing ]', position)
    if (this.depth === 0) {
      if (byte !== OPEN_BRACKET) throw this.malformed('an array, [ first', position)
      this.depth = 1
      return
    }
    if (this.depth === 1 && byte === COMMA) {
      this.close(position, rows)
      this.afterComma = true
      return
    }
    if (this.depth === 1 && byte === CLOSE_BRACKET) {
      if (this.rowStart >= 0 || this.afterComma) this.close(position, rows)
      this.closed = true
      return
    }
    if (this.rowStart < 0) this.rowStart = position
    if (byte === QUOTE) this.inString = true
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) this.depth++
    else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) {
      if (this.depth === 1) throw this.malformed('] at the end of the rows', position)
      this.depth--
    }
  }

  /** Returns: the index behind the closing quote, or behind the piece. */
  private skipString(bytes: Uint8Array, start: number): number {
    for (let i = start; i < bytes.length; i++) {
      const byte = bytes[i]!
      if (this.escaped) this.escaped = false
      else if (byte === BACKSLASH) this.escaped = true
      else if (byte === QUOTE) {
        this.inString = false
        return i + 1
      }
    }
    return bytes.length
  }

  private close(end: number, rows: RowIndex): void {
    const start = this.rowStart < 0 ? end : this.rowStart
    rows.add(start, end - start)
    this.rowStart = -1
  }

  private malformed(expected: string, position: number): DatasetError {
    return new DatasetError(
      `dataset: ${this.name} is not a JSON array of rows: expected ${expected}, but found something else at ` +
        `byte ${position}; give a JSON array, or one object a line (JSONL)`,
    )
  }
}

/** Rows of a table, which quoted fields may spread over lines; blank lines are none. Source: RFC 4180. */
export class TableScanner implements RowScanner {
  private rowStart = -1
  private blank = true
  private fieldStart = true
  private quoted = false
  private justClosed = false

  constructor(private readonly delimiter: number) {}

  push(bytes: Uint8Array, offset: number, rows: RowIndex): void {
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!
      if (this.rowStart < 0) this.rowStart = offset + i
      if (this.quoted) {
        if (byte === QUOTE) {
          this.quoted = false
          this.justClosed = true
        }
        continue
      }
      if (byte === LF || byte === CR) {
        this.close(offset + i, rows)
        continue
      }
      // A quote opens a field at its start; right behind a closing one it was a doubled one.
      this.quoted = byte === QUOTE && (this.fieldStart || this.justClosed)
      this.fieldStart = byte === this.delimiter
      this.justClosed = false
      if (byte > SPACE) this.blank = false
    }
  }

  finish(sizeBytes: number, rows: RowIndex): void {
    if (this.rowStart >= 0) this.close(sizeBytes, rows)
  }

  private close(end: number, rows: RowIndex): void {
    if (!this.blank) rows.add(this.rowStart, end - this.rowStart)
    this.rowStart = -1
    this.blank = true
    this.fieldStart = true
    this.quoted = false
    this.justClosed = false
  }
}
