import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { WeightDtype } from '../worker/api'
import { ADAPTER_CHOICES, type AdapterChoice } from './device'
import { UsageError } from './errors'

/** What every command has. */
export interface CommonArgs {
  json: boolean
  adapter: AdapterChoice
}

/** What every command has that takes a model. */
export interface ModelArgs {
  model: string
  dtype: WeightDtype
  template: string | undefined
  repos: string | undefined
  base: string | undefined
  /** Units: bytes. */
  memoryBytes: number | undefined
}

export const COMMON = {
  adapter: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

export const MODEL = {
  model: { type: 'string' },
  dtype: { type: 'string' },
  template: { type: 'string' },
  repos: { type: 'string' },
  base: { type: 'string' },
  memory: { type: 'string' },
} as const

const DTYPES: readonly WeightDtype[] = ['auto', 'f32', 'f16', 'q8', 'q4']

type Options = NonNullable<ParseArgsConfig['options']>

/** Values of options as Node finds them. Throws: UsageError for one that is not known, or lacks its value. */
export function parse<T extends Options>(command: string, argv: string[], options: T) {
  try {
    return parseArgs({ args: joinDashValues(argv, options), options, allowPositionals: false, strict: true })
      .values
  } catch (error) {
    // Node's first sentence is good; what follows is about positionals, which no command here takes.
    const message = error instanceof Error ? error.message.split(/\.\s/)[0] : String(error)
    throw new UsageError(`${command}: ${message}; try --help`)
  }
}

/** A prompt may begin with a dash, which parseArgs takes only in the form --prompt=TEXT. */
function joinDashValues(argv: string[], options: Options): string[] {
  const joined: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    const value = argv[i + 1]
    const takesValue = arg.startsWith('--') && options[arg.slice(2)]?.type === 'string'
    const isOption = value !== undefined && /^--?[a-z]/.test(value) && isKnown(value, options)
    if (takesValue && value !== undefined && value.startsWith('-') && !isOption) {
      joined.push(`${arg}=${value}`)
      i++
    } else {
      joined.push(arg)
    }
  }
  return joined
}

function isKnown(arg: string, options: Options): boolean {
  const name = arg.replace(/^--/, '').split('=')[0]!
  return arg === '-h' || (arg.startsWith('--') && name in options)
}

/** Throws: UsageError. */
export function commonOf(command: string, values: { adapter?: string; json?: boolean }): CommonArgs {
  return {
    adapter: oneOf(`${command}: --adapter`, values.adapter ?? 'auto', ADAPTER_CHOICES),
    json: values.json ?? false,
  }
}

type ModelValues = { [name in keyof typeof MODEL]?: string }

/** Throws: UsageError. */
export function modelOf(command: string, values: ModelValues, dtype: WeightDtype = 'auto'): ModelArgs {
  if (!values.model)
    throw new UsageError(`${command}: --model is missing: a folder, OWNER/NAME, a URL or "bundled"`)
  const gigabytes = optional(values.memory, (text) =>
    numberOf(`${command}: --memory`, text, { min: 0.001, max: 1024 }),
  )
  return {
    model: values.model,
    dtype: oneOf(`${command}: --dtype`, values.dtype ?? dtype, DTYPES),
    template: values.template,
    repos: values.repos,
    base: values.base,
    memoryBytes: optional(gigabytes, (value) => value * 1e9),
  }
}

/** Reads a value where it is given. */
export function optional<T, R>(value: T | undefined, read: (value: T) => R): R | undefined {
  return value === undefined ? undefined : read(value)
}

/** `flag` begins with the command. Throws: UsageError that lists the choices. */
export function oneOf<T extends string>(flag: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value)
  if (found === undefined)
    throw new UsageError(`${flag} should be one of ${choices.join(', ')}, got "${value}"`)
  return found
}

export interface Range {
  readonly min: number
  readonly max: number
  readonly whole?: boolean
  /** `min` itself is not among them. */
  readonly above?: boolean
}

/** `flag` begins with the command. Throws: UsageError that says the range. */
export function numberOf(flag: string, text: string, { min, max, whole, above }: Range): number {
  const value = text.trim() === '' ? NaN : Number(text)
  const isInside = Number.isFinite(value) && value <= max && (above ? value > min : value >= min)
  if (isInside && (!whole || Number.isInteger(value))) return value
  const range = above ? `above ${min} and at most ${max}` : `from ${min} to ${max}`
  throw new UsageError(`${flag} should be a ${whole ? 'whole ' : ''}number ${range}, got "${text}"`)
}
