import type { WeightDtype } from '../../worker/api'
import {
  BUNDLED_NAMES,
  parseEndpoint,
  parseModelAddress,
  parseServer,
  type ModelChoice,
  type ServerChoice,
} from '../models/choice'
import type { HideablePart, ThemeName } from './types'

/** A value an attribute cannot have. `allowed` names those it can. */
export class AttributeError extends Error {
  override readonly name = 'AttributeError'
  constructor(
    readonly attribute: string,
    value: string,
    readonly allowed: readonly string[],
  ) {
    super(
      `<trilobite-chat> ${attribute}: expected ${listed(allowed)}, got ${JSON.stringify(value)}. ` +
        'The default is used instead.',
    )
  }
}

const listed = (words: readonly string[]) =>
  words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : String(words[0])

const DTYPES: readonly WeightDtype[] = ['auto', 'f32', 'f16', 'q8', 'q4']
const THEMES: readonly ThemeName[] = ['auto', 'light', 'dark']
const PARTS: readonly HideablePart[] = ['picker', 'settings', 'upload']
const MODELS = [
  'a Hugging Face repository (owner/name, owner/name@revision)',
  'the address of a folder (https://..., /..., ./...)',
  'bundled',
  ...BUNDLED_NAMES.map((name) => `bundled/${name}`),
]

function oneOf<T extends string>(attribute: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) throw new AttributeError(attribute, value, allowed)
  return found
}

export const parseDtype = (value: string): WeightDtype => oneOf('dtype', value || 'auto', DTYPES)
export const parseTheme = (value: string): ThemeName => oneOf('theme', value || 'auto', THEMES)

/** A flag is on where its attribute is there; the one word for off is taken at its meaning. */
export function parseFlag(attribute: string, value: string): boolean {
  if (value === 'false') throw new AttributeError(attribute, value, ['no value', 'no such attribute'])
  return true
}

/** Throws: AttributeError. */
export function parseHub(value: string): string {
  try {
    return parseEndpoint(value)
  } catch {
    throw new AttributeError('hub-endpoint', value, ['an address that begins with https://'])
  }
}

/** A server's address, relative to the page's. Throws: AttributeError. */
export function parseEndpointUrl(value: string, baseUrl: string): ServerChoice | undefined {
  if (value === '') return undefined
  try {
    return parseServer(/^\.{0,2}\//.test(value) ? new URL(value, baseUrl).href : value)
  } catch {
    throw new AttributeError('endpoint', value, ['the address of a server (https://..., /..., ./...)'])
  }
}

/** Words between spaces. Throws: AttributeError at the first that names no part. */
export const parseHide = (value: string): HideablePart[] =>
  words(value).map((part) => oneOf('hide', part, PARTS))

/** Throws: AttributeError. */
export function parseContextLength(value: string): number | undefined {
  if (value === '') return undefined
  const tokens = /^\d+$/.test(value) ? Number(value) : 0
  if (!Number.isSafeInteger(tokens) || tokens < 1)
    throw new AttributeError('context-length', value, ['a whole number of tokens above 0'])
  return tokens
}

/**
 * What the page names as its model. Addresses may be relative to `baseUrl`.
 *
 * Throws: AttributeError.
 */
export function parseModel(value: string, baseUrl: string): ModelChoice {
  if (value === '') return { kind: 'bundled' }
  const [, bundled, name] = /^(bundled)(?:\/(.*))?$/.exec(value) ?? []
  if (bundled) {
    if (name === undefined) return { kind: 'bundled' }
    const known = BUNDLED_NAMES.find((one) => one === name)
    if (known) return { kind: 'bundled', name: known }
  } else {
    try {
      return parseModelAddress(/^\.{0,2}\//.test(value) ? new URL(value, baseUrl).href : value)
    } catch {
      // The sentence below names what there is instead.
    }
  }
  throw new AttributeError('model', value, MODELS)
}

/** A base address, relative to the page's. Throws: AttributeError. */
export function parseFolder(attribute: string, value: string, baseUrl: string): string | undefined {
  if (value === '') return undefined
  try {
    const { href } = new URL(value, baseUrl)
    return href.endsWith('/') ? href : `${href}/`
  } catch {
    throw new AttributeError(attribute, value, ['the address of a folder'])
  }
}

/** What stands between spaces. */
export const words = (value: string): string[] => value.split(/\s+/).filter(Boolean)
