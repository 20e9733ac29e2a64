import type { Json } from './config-reader'
import { ConfigError } from './errors'

/** Characters; the longest published pattern has about 700. */
const MAX_LENGTH = 4096
/** Of one alternative, which takes the square or the cube of a run of like characters at worst. */
const MAX_UNBOUNDED = 3
/** Times that what varies in length may be repeated: the ways to divide a text grow with the power. */
const FEW = 4
/** As good as unbounded: `x{0,64}`. */
const MANY = 64

/**
 * Refuses a tokenizer.json with a pattern that may take exponential time: whoever wrote it could hold the worker for good
 * with one message, and no engine stops a regular expression. No published tokenizer has such a pattern.
 *
 * Throws: ConfigError.
 */
export function checkPatterns(json: Json | undefined): void {
  if (json === null || typeof json !== 'object') return
  if (Array.isArray(json)) return json.forEach(checkPatterns)
  for (const [name, value] of Object.entries(json)) {
    const problem = name === 'Regex' && typeof value === 'string' ? problemOf(value) : undefined
    if (problem !== undefined) {
      throw new ConfigError(
        `tokenizer.json: expected patterns that end soon, got ${JSON.stringify(String(value).slice(0, 80))}, which ` +
          `${problem}. Do not load this checkpoint unless you trust where it comes from.`,
      )
    }
    checkPatterns(value)
  }
}

interface Group {
  /** One of its parts may be of several lengths. */
  varies: boolean
  /** Parts without end in the alternative that is being read, and in the worst of all. */
  unbounded: number
  worst: number
}

/** What is wrong with a pattern; undefined where it is harmless, or no regular expression at all. */
function problemOf(pattern: string): string | undefined {
  if (pattern.length > MAX_LENGTH) return `has ${pattern.length} characters`
  const open: Group[] = [{ varies: false, unbounded: 0, worst: 0 }]
  let closed: Group | undefined
  let at = 0
  while (at < pattern.length) {
    const group = open.at(-1)!
    const char = pattern[at]!
    const [quantifier, least, most] = quantifierAt(pattern, at)
    if (quantifier > 0) {
      if (most > FEW && closed?.varies) return 'repeats what varies in length'
      if (least !== most) {
        group.varies = true
        if (most >= MANY) group.unbounded++
      }
      closed = undefined
      at += quantifier
      // `?` and `+` behind a quantifier make it lazy or possessive.
      if (pattern[at] === '?' || pattern[at] === '+') at++
    } else if (char === '(') {
      open.push({ varies: false, unbounded: 0, worst: 0 })
      at += /^\((?:\?(?:<?[=!]|[a-z-]*:|<\w+>|>)?)?/.exec(pattern.slice(at))![0].length
      closed = undefined
    } else if (char === ')' && open.length > 1) {
      open.pop()
      closed = group
      group.worst = Math.max(group.worst, group.unbounded)
      open.at(-1)!.varies ||= group.varies
      open.at(-1)!.unbounded += group.worst
      at++
    } else if (char === '|') {
      group.worst = Math.max(group.worst, group.unbounded)
      group.unbounded = 0
      group.varies ||= open.length > 1
      at++
    } else {
      closed = undefined
      at += atomAt(pattern, at)
    }
    if (open.some(({ unbounded }) => unbounded > MAX_UNBOUNDED)) {
      return `has more than ${MAX_UNBOUNDED} parts without end in a row`
    }
  }
  return undefined
}

/** Characters of the quantifier at a place, 0 where there is none, and how often it takes what is before it. */
function quantifierAt(pattern: string, at: number): [characters: number, least: number, most: number] {
  switch (pattern[at]) {
    case '*':
      return [1, 0, Infinity]
    case '+':
      return [1, 1, Infinity]
    case '?':
      return [1, 0, 1]
    case '{': {
      const found = /^\{(\d+)(,?)(\d*)\}/.exec(pattern.slice(at, at + 40))
      if (!found) return [0, 0, 0]
      const least = Number(found[1])
      const most = found[2] === '' ? least : found[3] === '' ? Infinity : Number(found[3])
      return [found[0].length, least, most]
    }
    default:
      return [0, 0, 0]
  }
}

/** Characters of an escape, a class or anything else that stands for itself. */
function atomAt(pattern: string, at: number): number {
  if (pattern[at] === '\\') return /^\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|.|$)/s.exec(pattern.slice(at))![0].length
  if (pattern[at] !== '[') return 1
  // Classes within classes, as Oniguruma has them, close with as many brackets.
  let depth = 0
  for (let i = at; i < pattern.length; i++) {
    if (pattern[i] === '\\') i++
    else if (pattern[i] === '[') depth++
    else if (pattern[i] === ']' && --depth === 0) return i + 1 - at
  }
  return pattern.length - at
}
