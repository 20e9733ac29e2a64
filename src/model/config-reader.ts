import { findExcess } from './checkpoint/strict-json'
import { ConfigError } from './errors'

/** Of anything; no tensor has a longer side. */
const MAX_SIZE = 2 ** 31 - 1
/** Of what is listed one by one; the deepest published models have 126 layers. */
const MAX_COUNT = 1024

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/**
 * Typed reading of a config file's fields.
 *
 * A field that is absent takes its value from `defaults`, the table of the class that wrote the file (Hugging Face drops
 * fields equal to their class default); one that is in neither is an error, never a guess.
 */
export class ConfigReader {
  constructor(
    private readonly json: JsonObject,
    /** Where in which file, for messages: `config.json: text_config`. */
    readonly where: string,
    private readonly defaults: JsonObject = {},
  ) {}

  has(name: string): boolean {
    return this.json[name] !== undefined && this.json[name] !== null
  }

  /** The value as it stands, null and undefined alike when absent and without default. */
  raw(name: string): Json | undefined {
    return this.json[name] ?? this.defaults[name]
  }

  int(name: string): number {
    const value = this.raw(name)
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value
    return this.fail(name, 'an integer', value)
  }

  /** A whole number above zero: a size. */
  size(name: string, most = MAX_SIZE): number {
    const value = this.int(name)
    if (value > 0 && value <= most) return value
    return this.fail(name, value > most ? `at most ${most}` : 'a positive integer', value)
  }

  /** A whole number above zero of layers, groups or the like, each of which has parameters of its own. */
  count(name: string): number {
    return this.size(name, MAX_COUNT)
  }

  /** As size; a null in the file means none, even where the class has a default. */
  sizeOrNull(name: string): number | undefined {
    return this.json[name] === null || this.raw(name) === undefined ? undefined : this.size(name)
  }

  float(name: string): number {
    const value = this.raw(name)
    if (typeof value === 'number') return value
    return this.fail(name, 'a number', value)
  }

  bool(name: string): boolean {
    const value = this.raw(name)
    if (typeof value === 'boolean') return value
    return this.fail(name, 'true or false', value)
  }

  string(name: string): string {
    const value = this.raw(name)
    if (typeof value === 'string') return value
    return this.fail(name, 'a string', value)
  }

  /** One of a table's keys, mapped to its value. */
  oneOf<T>(name: string, table: Readonly<Record<string, T>>): T {
    const value = this.string(name)
    const found = Object.hasOwn(table, value) ? table[value] : undefined
    if (found === undefined) return this.fail(name, `one of ${Object.keys(table).join(', ')}`, value)
    return found
  }

  optionalObject(name: string): JsonObject | undefined {
    const value = this.raw(name)
    if (value === undefined || value === null) return undefined
    if (typeof value === 'object' && !Array.isArray(value)) return value
    return this.fail(name, 'an object', value)
  }

  /** A nested object with defaults of its own. */
  section(name: string, defaults: JsonObject = {}): ConfigReader {
    const value = this.optionalObject(name)
    if (!value) return this.fail(name, 'an object', undefined)
    return new ConfigReader(value, `${this.where}${this.where.endsWith(':') ? ' ' : '.'}${name}`, defaults)
  }

  fail(name: string, expected: string, came: Json | undefined): never {
    const got = came === undefined || came === null ? 'is missing' : `is ${JSON.stringify(came).slice(0, 80)}`
    throw new ConfigError(
      `${this.where}${this.where.endsWith(':') ? ' ' : '.'}${name} should be ${expected} but ${got}. ` +
        'The checkpoint may be damaged or of a kind that is not supported.',
    )
  }
}

/** Parses a config file's text. Throws: ConfigError when it is not a JSON object. */
export function parseConfigFile(text: string, file: string): JsonObject {
  const excess = findExcess(text)
  if (excess !== undefined) throw new ConfigError(`${file}: ${excess}. Download it again.`)
  let json: Json
  try {
    json = JSON.parse(text) as Json
  } catch (cause) {
    throw new ConfigError(
      `${file}: should be JSON but could not be parsed (${(cause as Error).message}). Download it again.`,
    )
  }
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw new ConfigError(`${file}: should hold a JSON object. Check that the folder is a model checkpoint.`)
  }
  return json
}
