import type { ModelSource } from '../../worker/api'
import { en, type Messages } from '../text/messages/en'

/** A model the visitor chose. Unlike a ModelSource it holds neither token nor key, so it may be remembered. */
export type ModelChoice =
  /** The first of BUNDLED_NAMES where no name is given. */
  | { kind: 'bundled'; name?: BundledName }
  | { kind: 'hub'; repo: string; revision?: string }
  | { kind: 'url'; baseUrl: string }
  | { kind: 'files'; name: string; files: { path: string; file: File }[] }
  /** On a server. Without a name: not chosen yet, or the only one there. */
  | ServerChoice

export interface ServerChoice {
  kind: 'endpoint'
  baseUrl: string
  model?: string
}

/** Models that come with the page, the one it starts with first. */
export const BUNDLED_NAMES = [
  'trilobite-nano-cambrian',
  'trilobite-nano-llava',
  'trilobite-nano-stage1',
] as const
export type BundledName = (typeof BUNDLED_NAMES)[number]

/** Where a bundled model lies in the folder of bundled models. */
const bundledPath = (name: BundledName = BUNDLED_NAMES[0]) => `${name}/`

/** A name for the choice, short enough for a heading. */
export function choiceName(choice: ModelChoice): string {
  switch (choice.kind) {
    case 'bundled':
      return choice.name ?? BUNDLED_NAMES[0]
    case 'hub':
      return choice.revision ? `${choice.repo}@${choice.revision}` : choice.repo
    case 'url':
      return (
        new URL(choice.baseUrl).pathname.split('/').filter(Boolean).at(-1) ?? new URL(choice.baseUrl).host
      )
    case 'files':
      return choice.name
    case 'endpoint': {
      const { host } = new URL(choice.baseUrl)
      return choice.model ? `${choice.model} @ ${host}` : host
    }
  }
}

/** The folder of the bundled models beside a page. */
export const modelsBeside = (pageUrl: string): string => new URL('models/', pageUrl).href

export const haveSameOrigin = (a: string, b: string): boolean => new URL(a).origin === new URL(b).origin

/** True where loading needs no network. */
export function isLocal(choice: ModelChoice): boolean {
  return choice.kind === 'bundled' || choice.kind === 'files'
}

/**
 * The engine's source for a choice. `home` is the folder of the bundled ones; endpoint and token serve the hub only, the
 * key a server.
 */
export function toSource(
  choice: ModelChoice,
  { home, endpoint, token, apiKey }: { home: string; endpoint?: string; token?: string; apiKey?: string },
): ModelSource {
  switch (choice.kind) {
    case 'bundled':
      return { kind: 'url', baseUrl: new URL(bundledPath(choice.name), home).href }
    case 'hub': {
      const source: Extract<ModelSource, { kind: 'hub' }> = { kind: 'hub', repo: choice.repo }
      if (choice.revision) source.revision = choice.revision
      if (endpoint) source.endpoint = endpoint
      if (token) source.token = token
      return source
    }
    case 'url':
      return { kind: 'url', baseUrl: choice.baseUrl }
    case 'files':
      return { kind: 'files', name: choice.name, files: choice.files }
    case 'endpoint':
      return { ...choice, ...(apiKey && { apiKey }) }
  }
}

/** Why an address is none. */
type Refusals = Messages['models']['address']

const REPO = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/
const HUB_PAGE = /^\/([\w.-]+\/[\w.-]+)(?:\/(?:tree|blob|resolve)\/([^/]+))?(?:\/|$)/

/**
 * Reads what a visitor typed or pasted: `owner/name`, `owner/name@revision`, a model page's address, or the address
 * of a folder of files.
 *
 * Throws: Error with a sentence for the visitor.
 */
export function parseModelAddress(
  text: string,
  endpoint = '',
  refusals: Refusals = en.models.address,
): ModelChoice {
  const address = text.trim()
  if (!address) throw new Error(refusals.empty)

  if (!/^[a-z]+:\/\//i.test(address)) {
    const [, repo, revision] = REPO.exec(address) ?? []
    if (!repo || repo.split('/').some((part) => /^\.+$/.test(part))) throw new Error(refusals.neither)
    return revision ? { kind: 'hub', repo, revision } : { kind: 'hub', repo }
  }

  const url = parseHttpUrl(address, refusals)
  const hubs = ['huggingface.co', 'hf.co', ...(endpoint ? [new URL(endpoint).host] : [])]
  if (hubs.includes(url.host)) {
    const [, repo, revision] = HUB_PAGE.exec(url.pathname) ?? []
    if (!repo) throw new Error(refusals.noModel)
    if (['datasets', 'spaces', 'papers', 'collections', 'docs'].includes(repo.split('/')[0]!))
      throw new Error(refusals.notOfModel)
    return revision && revision !== 'main' ? { kind: 'hub', repo, revision } : { kind: 'hub', repo }
  }
  url.hash = ''
  url.search = ''
  url.pathname = url.pathname.replace(/\/(config\.json|[^/]+\.safetensors)$/, '').replace(/\/*$/, '/')
  return { kind: 'url', baseUrl: url.href }
}

/**
 * Checks a custom hub endpoint; empty stays empty.
 *
 * Throws: Error with a sentence for the visitor.
 */
export function parseEndpoint(text: string, refusals: Refusals = en.models.address): string {
  if (!text.trim()) return ''
  const url = parseHttpUrl(text.trim(), refusals)
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

/**
 * The server at an address as people have it: with or without `/v1`, or of one of its calls. Unlike a model's files it may
 * come over http from another machine, as on a network at home, where this page came over http too.
 *
 * Throws: Error with a sentence for the visitor.
 */
export function parseServer(
  text: string,
  refusals: Refusals = en.models.address,
  pageProtocol = globalThis.location?.protocol,
): ServerChoice {
  const address = text.trim()
  const whole = /^[a-z]+:\/\//i.test(address)
    ? address
    : `${isOwnHost(address) ? 'http' : 'https'}://${address}`
  const url = parseUrl(whole, refusals)
  if (!/^https?:$/.test(url.protocol)) throw new Error(refusals.malformed(address))
  if (url.protocol === 'http:' && pageProtocol === 'https:' && !isLoopback(url))
    throw new Error(refusals.mixed)
  const path = url.pathname.replace(/\/+$/, '').replace(/\/(?:chat\/completions|models)$/, '')
  return { kind: 'endpoint', baseUrl: `${url.origin}${path || '/v1'}` }
}

const isOwnHost = (address: string) => /^(?:localhost|127\.0\.0\.1|\[::1\])(?:[:/]|$)/.test(address)

export const isLoopback = ({ hostname }: URL) => ['localhost', '127.0.0.1', '[::1]'].includes(hostname)

function parseHttpUrl(text: string, refusals: Refusals): URL {
  const url = parseUrl(text, refusals)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url)))
    throw new Error(refusals.insecure)
  return url
}

/** Without user and password. */
function parseUrl(text: string, refusals: Refusals): URL {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new Error(refusals.malformed(text))
  }
  url.username = ''
  url.password = ''
  return url
}

/** Reads a remembered choice back; anything unexpected gives undefined. A folder cannot be remembered. */
export function restoreChoice(value: unknown): ModelChoice | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, name, repo, revision, baseUrl, model } = value as Record<string, unknown>
  try {
    if (kind === 'bundled') {
      const known = BUNDLED_NAMES.find((bundled) => bundled === name)
      return known ? { kind, name: known } : { kind }
    }
    if (kind === 'hub' && typeof repo === 'string')
      return parseModelAddress(typeof revision === 'string' ? `${repo}@${revision}` : repo)
    if (kind === 'url' && typeof baseUrl === 'string') {
      const choice = parseModelAddress(baseUrl)
      return choice.kind === 'url' ? choice : undefined
    }
    if (kind === 'endpoint' && typeof baseUrl === 'string')
      return { ...parseServer(baseUrl), ...(typeof model === 'string' && { model }) }
  } catch {
    return undefined
  }
  return undefined
}
