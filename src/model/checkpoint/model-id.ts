import { ConfigError } from '../errors'
import { parseBaseUrl } from './http-source'
import { HUB_ENDPOINT, isRepoName, splitRepo } from './hub-source'
import type { HubLocation, UrlLocation } from './source'

const FORMS =
  'owner/name, owner/name@revision, a URL https://huggingface.co/owner/name (also with /tree/revision), or the ' +
  'URL of a folder that holds config.json'

const HUB_HOSTS = ['huggingface.co', 'www.huggingface.co', 'hf.co']

/**
 * Where the checkpoint lies that a visitor named. Any page of a repository on the hub will do; a file or folder
 * inside one names its folder.
 *
 * Throws: ConfigError that lists the forms.
 */
export function parseModelId(text: string): HubLocation | UrlLocation {
  const id = text.trim()
  if (/^https?:\/\//i.test(id)) return parseModelUrl(id)
  const at = id.indexOf('@')
  if (!isRepoName(at < 0 ? id : id.slice(0, at))) {
    const shown = id.length > 100 ? `${id.slice(0, 100)}...` : id
    throw new ConfigError(`model: expected ${FORMS}; got ${JSON.stringify(shown)}`)
  }
  if (at < 0) return { kind: 'hub', repo: id }
  const { repo, revision } = splitRepo(id)
  return { kind: 'hub', repo, revision }
}

function parseModelUrl(text: string): HubLocation | UrlLocation {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new ConfigError(`model: expected ${FORMS}; got a URL that cannot be read`)
  }
  if (url.username || url.password || !HUB_HOSTS.includes(url.hostname)) {
    return { kind: 'url', baseUrl: parseBaseUrl(text, 'model') }
  }
  let parts: string[]
  try {
    parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent)
  } catch {
    throw new ConfigError(`model: expected ${FORMS}; got a URL with a broken % escape`)
  }
  const repo = parts.slice(0, 2).join('/')
  const [view, revision, ...path] = parts.slice(2)
  const isKnownView = view === undefined || (isFileView(view) && revision !== undefined)
  if (!isRepoName(repo) || RESERVED_OWNERS.has(parts[0]!) || !isKnownView) {
    throw new ConfigError(`model: expected ${FORMS}; got the hub page ${JSON.stringify(url.pathname)}`)
  }
  if (view === undefined) return { kind: 'hub', repo }
  const named = splitRepo(repo, revision)
  const isFolder = view === 'tree' || url.pathname.endsWith('/')
  const folder = isFolder ? path : path.slice(0, -1)
  if (folder.length === 0) return { kind: 'hub', ...named }
  const inside = [named.revision, ...folder].map(encodeURIComponent).join('/')
  return { kind: 'url', baseUrl: `${HUB_ENDPOINT}/${repo}/resolve/${inside}/` }
}

function isFileView(view: string): boolean {
  return view === 'tree' || view === 'blob' || view === 'resolve' || view === 'raw'
}

/** First path parts of the hub's own pages, which otherwise read as owners. */
const RESERVED_OWNERS = new Set(['api', 'collections', 'datasets', 'docs', 'models', 'papers', 'spaces'])
