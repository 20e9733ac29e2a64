import type { ModelSource } from '../../worker/api'

/** A checkpoint the visitor chose. Unlike a ModelSource it holds no token, so it may be remembered. */
export type ModelChoice =
  /** The first of BUNDLED_NAMES where no name is given. */
  | { kind: 'bundled'; name?: BundledName }
  | { kind: 'hub'; repo: string; revision?: string }
  | { kind: 'url'; baseUrl: string }
  | { kind: 'files'; name: string; files: { path: string; file: File }[] }

/** Models that come with the page, the one it starts with first. */
export const BUNDLED_NAMES = [
  'trilobite-nano-cambrian',
  'trilobite-nano-llava',
  'trilobite-nano-stage1',
] as const
export type BundledName = (typeof BUNDLED_NAMES)[number]

/** Where a bundled model lies, relative to the page or to the element's module. */
const bundledPath = (name: BundledName = BUNDLED_NAMES[0]) => `models/${name}/`

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
  }
}

/** True where loading needs no network. */
export function isLocal(choice: ModelChoice): boolean {
  return choice.kind === 'bundled' || choice.kind === 'files'
}

/** The engine's source for a choice. `home` is the address whose `models/` holds the bundled ones; endpoint and token serve the hub only. */
export function toSource(
  choice: ModelChoice,
  { home, endpoint, token }: { home: string; endpoint?: string; token?: string },
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
  }
}

const REPO = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/
const HUB_PAGE = /^\/([\w.-]+\/[\w.-]+)(?:\/(?:tree|blob|resolve)\/([^/]+))?(?:\/|$)/

/**
 * Reads what a visitor typed or pasted: `owner/name`, `owner/name@revision`, a model page's address, or the address
 * of a folder of files.
 *
 * Throws: Error with a sentence for the visitor.
 */
export function parseModelAddress(text: string, endpoint = ''): ModelChoice {
  const address = text.trim()
  if (!address) throw new Error('Type a repository such as llava-hf/llava-1.5-7b-hf, or an address.')

  if (!/^[a-z]+:\/\//i.test(address)) {
    const [, repo, revision] = REPO.exec(address) ?? []
    if (!repo || repo.split('/').some((part) => /^\.+$/.test(part)))
      throw new Error('That is neither owner/name nor an address that starts with https://.')
    return revision ? { kind: 'hub', repo, revision } : { kind: 'hub', repo }
  }

  const url = parseHttpUrl(address)
  const hubs = ['huggingface.co', 'hf.co', ...(endpoint ? [new URL(endpoint).host] : [])]
  if (hubs.includes(url.host)) {
    const [, repo, revision] = HUB_PAGE.exec(url.pathname) ?? []
    if (!repo)
      throw new Error('That address names no model; it should look like https://huggingface.co/owner/name.')
    if (['datasets', 'spaces', 'papers', 'collections', 'docs'].includes(repo.split('/')[0]!))
      throw new Error('That is not the address of a model.')
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
export function parseEndpoint(text: string): string {
  if (!text.trim()) return ''
  const url = parseHttpUrl(text.trim())
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

function parseHttpUrl(text: string): URL {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new Error(`${text} is not an address. It should start with https://.`)
  }
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))
    throw new Error('Only https addresses work, or http on localhost.')
  url.username = ''
  url.password = ''
  return url
}

/** Reads a remembered choice back; anything unexpected gives undefined. A folder cannot be remembered. */
export function restoreChoice(value: unknown): ModelChoice | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, name, repo, revision, baseUrl } = value as Record<string, unknown>
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
  } catch {
    return undefined
  }
  return undefined
}
