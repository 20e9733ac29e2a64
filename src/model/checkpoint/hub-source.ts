import { ConfigError } from '../errors'
import { HttpSource, parseBaseUrl, type HttpOptions } from './http-source'
import type { CheckpointSource, HubLocation } from './source'
import { parseHubTree } from './stated-hashes'

export const HUB_ENDPOINT = 'https://huggingface.co'

/**
 * A repository on Hugging Face, or on a mirror that answers `ENDPOINT/OWNER/NAME/resolve/REVISION/PATH`.
 * The token goes to the endpoint's host as a header, never into a URL or a message; fetch drops the header
 * where the hub redirects to its file hosts.
 *
 * Throws: ConfigError unless `repo` is `owner/name` or `owner/name@revision`.
 */
export function hubSource(location: Omit<HubLocation, 'kind'> & HttpOptions): CheckpointSource {
  const { token } = location
  const { repo, revision } = splitRepo(location.repo, location.revision)
  const endpoint = parseBaseUrl(location.endpoint ?? HUB_ENDPOINT, 'hub endpoint')
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    // Said here: the platform's message about a bad header would repeat it.
    throw new ConfigError(
      'hub token: expected printable characters without spaces, got others; copy the token again',
    )
  }
  const root = `${endpoint}${repo}/resolve/${encodeURIComponent(revision)}/`
  const page = `${endpoint}${repo}`
  return new HttpSource(
    {
      name: `${repo}@${revision}`,
      urlOf: (path) => root + path.split('/').map(encodeURIComponent).join('/'),
      token,
      adviceForDenied: token
        ? `the model does not exist, or the token may not read it: accept the license on ${page} with the ` +
          "token's account, and see that the token has read access to gated models"
        : `the model does not exist, or is gated or private: check its name, accept the license on ${page}, ` +
          'and give an access token',
      hashes: {
        url: `${endpoint}api/models/${repo}/tree/${encodeURIComponent(revision)}?recursive=true`,
        parse: parseHubTree,
      },
    },
    location,
  )
}

/** `owner/name[@revision]` as its parts; the revision is `main` where none is named. Throws: ConfigError. */
export function splitRepo(text: string, revision?: string): { repo: string; revision: string } {
  const at = text.indexOf('@')
  const repo = at < 0 ? text : text.slice(0, at)
  const named = at < 0 ? undefined : text.slice(at + 1)
  if (!isRepoName(repo)) {
    throw new ConfigError(
      `hub: expected a repository as owner/name or owner/name@revision, got ${JSON.stringify(text)}; correct it`,
    )
  }
  if (named !== undefined && revision !== undefined && named !== revision) {
    throw new ConfigError(
      `hub: expected one revision of ${repo}, got both ${JSON.stringify(named)} and ${JSON.stringify(revision)}; ` +
        'give one of them',
    )
  }
  const chosen = named ?? revision ?? 'main'
  if (!isRevision(chosen)) {
    throw new ConfigError(
      `hub: expected a branch, tag or commit of ${repo}, got ${JSON.stringify(chosen)}; correct it`,
    )
  }
  return { repo, revision: chosen }
}

/** `owner/name` in the hub's alphabet. */
export function isRepoName(text: string): boolean {
  const parts = text.split('/')
  return parts.length === 2 && parts.every((part) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/.test(part))
}

/** Git's own rules for names, near enough: no blanks, no control characters, no `..`. */
function isRevision(text: string): boolean {
  return /^[\x21-\x7e]{1,255}$/.test(text) && !/\.\.|[\\?*:[^~]/.test(text)
}
