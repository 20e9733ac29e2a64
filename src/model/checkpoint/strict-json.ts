import { CheckpointError } from '../errors'

/**
 * Parses JSON that must not repeat a key in any object (which of two values counts depends on the parser, so one
 * file could show two faces) nor nest deeper than 128 brackets.
 *
 * Throws: CheckpointError, naming `where`.
 */
export function parseStrictJson(text: string, where: string): unknown {
  // Before it is parsed: each bracket of a value that is nothing but brackets takes 40 bytes.
  const excess = findExcess(text)
  if (excess !== undefined) {
    throw new CheckpointError(`${where}: ${excess}; the file was made by a faulty writer, save it again`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new CheckpointError(`${where}: expected JSON, got ${reasonOf(error)}; download the file again`)
  }
  const twice = findRepeatedKey(text)
  if (twice !== undefined) {
    throw new CheckpointError(
      `${where}: expected each key once, got ${twice} twice in one object; the file was made by a faulty writer, save it again`,
    )
  }
  return value
}

/**
 * What of a text that may be JSON is too deep or too much to be parsed; undefined where nothing is.
 *
 * A header of 100 MB, or a tokenizer of 64 MB, may be one value in ten million brackets.
 */
export function findExcess(text: string): string | undefined {
  let depth = 0
  let values = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === QUOTE) {
      for (i++; i < text.length && text.charCodeAt(i) !== QUOTE; i++) {
        if (text.charCodeAt(i) === BACKSLASH) i++
      }
    } else if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      if (++depth > MAX_DEPTH) return `expected at most ${MAX_DEPTH} nested brackets, got more`
      values++
    } else if (c === CLOSE_OBJECT || c === CLOSE_ARRAY) {
      depth--
    } else if (c === COMMA) {
      values++
    }
  }
  return values > MAX_VALUES ? `expected at most ${MAX_VALUES} values, got ${values}` : undefined
}

/** True for a JSON object: not null, not an array. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A short, one-line description of a JSON value for error messages. */
export function describeJson(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

function reasonOf(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error)
  return reason.replace(/\s+/g, ' ').slice(0, 120)
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const COMMA = 0x2c

/** The Rust library's limit; recursion over deeper values could exhaust the stack. */
const MAX_DEPTH = 128

/** A header of 100 MB has about six million, the largest published tokenizer two. */
const MAX_VALUES = 8 * 2 ** 20

/** A key, quoted, that is twice in one object of `text`, which is valid JSON. */
function findRepeatedKey(text: string): string | undefined {
  // One entry for each open bracket: the keys seen so far, or undefined for an array.
  const open: (Set<string> | undefined)[] = []
  let expectsKey = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === QUOTE) {
      const start = i
      let isEscaped = false
      for (i++; text.charCodeAt(i) !== QUOTE; i++) {
        if (text.charCodeAt(i) === BACKSLASH) {
          isEscaped = true
          i++
        }
      }
      const keys = open.at(-1)
      if (keys === undefined || !expectsKey) continue
      const key = isEscaped ? (JSON.parse(text.slice(start, i + 1)) as string) : text.slice(start + 1, i)
      if (keys.has(key)) return JSON.stringify(key)
      keys.add(key)
      expectsKey = false
    } else if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      expectsKey = c === OPEN_OBJECT
      open.push(expectsKey ? new Set() : undefined)
    } else if (c === CLOSE_OBJECT || c === CLOSE_ARRAY) {
      open.pop()
    } else if (c === COMMA) {
      expectsKey = true
    }
  }
  return undefined
}
