import { CheckpointError } from '../errors'

/**
 * Parses JSON that must not repeat a key in any object (which of two values counts depends on the parser, so one
 * file could show two faces) nor nest deeper than 128 brackets.
 *
 * Throws: CheckpointError, naming `where`.
 */
export function parseStrictJson(text: string, where: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new CheckpointError(`${where}: expected JSON, got ${reasonOf(error)}; download the file again`)
  }
  const problem = findProblem(text)
  if (problem !== undefined) {
    throw new CheckpointError(`${where}: ${problem}; the file was made by a faulty writer, save it again`)
  }
  return value
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

/** What is wrong with `text`, which is valid JSON: a key twice in one object, or too deep nesting. */
function findProblem(text: string): string | undefined {
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
      if (keys.has(key)) return `expected each key once, got ${JSON.stringify(key)} twice in one object`
      keys.add(key)
      expectsKey = false
    } else if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      if (open.length === MAX_DEPTH) return `expected at most ${MAX_DEPTH} nested brackets, got more`
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
