import { Environment, parse, tokenize } from '@huggingface/jinja'
import { TemplateError } from '../errors'
import { BoundedInterpreter } from './jinja-interpreter'

/** Characters; the longest published templates have about 30,000. */
const MAX_SOURCE = 2 ** 17
/** The library's pattern for `{% generation %}` takes the square of a run of blanks. */
const MAX_BLANKS = 1024
/** Numbers of a `range`. */
const MAX_RANGE = 2 ** 16

type Program = ReturnType<typeof parse>

/**
 * A chat template that a checkpoint brings: a program by somebody unknown, read and run within bounds.
 *
 * Source: transformers, utils/chat_template_utils.py (blocks are trimmed as there); jinja itself by @huggingface/jinja.
 */
export class JinjaTemplate {
  private readonly program: Program

  /** Throws: TemplateError where it is too long or no template. */
  constructor(source: string) {
    this.program = bounded('be understood', () => {
      if (source.length > MAX_SOURCE) throw new Error(`expected at most ${MAX_SOURCE} characters`)
      if (longestBlank(source) > MAX_BLANKS) throw new Error(`expected at most ${MAX_BLANKS} blanks in a row`)
      return parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))
    })
  }

  /** Throws: TemplateError where it refuses, fails, or would not end. */
  render(variables: Readonly<Record<string, unknown>>): string {
    return bounded('render this conversation', () => {
      const environment = new Environment()
      for (const [name, value] of Object.entries({ ...GLOBALS, ...variables })) environment.set(name, value)
      return String(new BoundedInterpreter(environment).run(this.program).value)
    })
  }
}

const GLOBALS = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  raise_exception(reason: unknown) {
    throw new Error(String(reason))
  },
  range,
  strftime_now: (format: unknown) => strftime(new Date(), String(format)),
}

/** As Python's. Throws: Error beyond MAX_RANGE numbers. */
function range(first: unknown, second?: unknown, step: unknown = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second]
  if (![start, stop, step].every(Number.isSafeInteger) || step === 0) {
    throw new Error('expected range() of whole numbers, with a step other than 0')
  }
  const [from, by] = [start as number, step as number]
  const length = Math.max(0, Math.ceil(((stop as number) - from) / by))
  if (length > MAX_RANGE) throw new Error(`expected a range of at most ${MAX_RANGE} numbers, got ${length}`)
  return Array.from({ length }, (_, i) => from + i * by)
}

/** The fields of Python's strftime that templates use; others stand as they are. */
function strftime(date: Date, format: string): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const month = (style: 'short' | 'long') => new Intl.DateTimeFormat('en', { month: style }).format(date)
  const fields: Readonly<Record<string, () => string>> = {
    Y: () => String(date.getFullYear()),
    m: () => two(date.getMonth() + 1),
    d: () => two(date.getDate()),
    b: () => month('short'),
    B: () => month('long'),
    H: () => two(date.getHours()),
    M: () => two(date.getMinutes()),
    '%': () => '%',
  }
  return format.slice(0, 256).replace(/%([YmdbBHM%])/g, (_, field: string) => fields[field]!())
}

function longestBlank(text: string): number {
  let longest = 0
  let run = 0
  for (let i = 0; i < text.length; i++) {
    run = /\s/.test(text[i]!) ? run + 1 : 0
    longest = Math.max(longest, run)
  }
  return longest
}

function bounded<T>(what: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new TemplateError(
      `chat template: the checkpoint's own template could not ${what} (${reason.slice(0, 300)}).`,
    )
  }
}
