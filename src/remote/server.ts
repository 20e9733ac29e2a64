import type { EndpointLocation } from '../worker/api'
import { contractError, EndpointError, reasonOf } from './errors'
import { MESSAGE_LIMIT, messageOf, readText } from './server-message'

/** How long a server is waited for, in milliseconds. */
export interface Patience {
  /** For its list of models. */
  listMs: number
  /** For the first piece of an answer: it may have to load the model, and to read a long prompt. */
  firstMs: number
  /** Between two pieces. */
  stallMs: number
  /** The wait before the first retry, which doubles with each. */
  retryMs: number
}

export const PATIENCE: Patience = { listMs: 20_000, firstMs: 300_000, stallMs: 60_000, retryMs: 1000 }

/** How long it may take to find out why an address does not answer. */
const DIAGNOSIS_MS = 3000

/** A refusal by status, for those who can do something about it. */
export class StatusError extends EndpointError {
  constructor(
    readonly status: number,
    /** What the server said, on one line. */
    readonly said: string,
    /** How long it asked to wait. */
    readonly retryAfterMs: number | undefined,
    ...[trouble, message]: ConstructorParameters<typeof EndpointError>
  ) {
    super(trouble, message)
  }
}

/** One server: where it is, and the key that it alone is sent. */
export class Server {
  /** In normal form, without a slash at its end. */
  readonly baseUrl: string
  /** Host and port, as messages name it. */
  readonly host: string
  readonly #apiKey: string | undefined

  /** Throws: EndpointError, which repeats neither a password nor the key. */
  constructor({ baseUrl, apiKey }: Pick<EndpointLocation, 'baseUrl' | 'apiKey'>) {
    const url = parseBaseUrl(baseUrl)
    if (apiKey && !/^[\x21-\x7e]+$/.test(apiKey)) {
      // Said here: the platform's message about a bad header would repeat it.
      throw new EndpointError(
        'address',
        'expected an API key of printable characters without spaces, got others; copy the key again',
      )
    }
    this.baseUrl = `${url.origin}${url.pathname.replace(/\/+$/, '')}`
    this.host = url.host
    this.#apiKey = apiKey || undefined
  }

  /**
   * Asks, and gives an answer whose status says that all is well.
   *
   * Throws: EndpointError, StatusError; AbortError when the signal aborts.
   */
  async request(path: string, signal: AbortSignal, body?: object): Promise<Response> {
    let response: Response
    try {
      response = await fetch(this.baseUrl + path, {
        method: body ? 'POST' : 'GET',
        headers: {
          Accept: body ? 'text/event-stream, application/json' : 'application/json',
          ...(body && { 'Content-Type': 'application/json' }),
          ...(this.#apiKey && { Authorization: `Bearer ${this.#apiKey}` }),
        },
        ...(body && { body: JSON.stringify(body) }),
        // Nothing goes to a host that nobody named: neither the key nor a picture.
        redirect: 'manual',
        credentials: 'omit',
        cache: 'no-store',
        referrerPolicy: 'no-referrer',
        signal,
      })
    } catch (error) {
      signal.throwIfAborted()
      throw await this.#diagnose(reasonOf(error))
    }
    if (response.ok) return response
    throw await this.#refusal(response)
  }

  /** A text of the server's on one line, short, and without the key. */
  quote(text: string): string {
    const line = text.replace(/\s+/g, ' ').trim()
    const open = this.#apiKey ? line.replaceAll(this.#apiKey, '…') : line
    return open.length > MESSAGE_LIMIT ? `${open.slice(0, MESSAGE_LIMIT)}…` : open
  }

  /** Why no answer came: browsers tell a page no more than that. */
  async #diagnose(reason: string): Promise<EndpointError> {
    const { host, baseUrl } = this
    const { protocol } = globalThis.location ?? {}
    if (protocol === 'https:' && baseUrl.startsWith('http:') && !isLoopback(new URL(baseUrl))) {
      return new EndpointError(
        'insecure',
        `expected ${host} over https, as this page is, got http, which browsers block. ` +
          'Serve it over https, or open this page from localhost.',
      )
    }
    try {
      // Without the key, and without a way to read what comes: it only tells whether anything does.
      await fetch(`${baseUrl}/models`, {
        mode: 'no-cors',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        signal: AbortSignal.timeout(DIAGNOSIS_MS),
      })
    } catch {
      return new EndpointError(
        'unreachable',
        `expected ${host} to answer, got no connection (${reason}). Start the server, and check the address, its port ` +
          'and the network; a policy of this page may forbid it too.',
      )
    }
    return new EndpointError(
      'blocked',
      `expected ${host} to let this page read its answers, got none with CORS headers. Allow ` +
        `${globalThis.origin ?? 'this page'} on the server, by an option such as --allowed-origins or --enable-cors.`,
    )
  }

  async #refusal(response: Response): Promise<EndpointError> {
    const { status, type, headers } = response
    const { host, baseUrl } = this
    if (type === 'opaqueredirect' || (status >= 300 && status < 400)) {
      await response.body?.cancel()
      return new EndpointError(
        'redirected',
        `expected ${host} to answer, got a redirect to another address. Nothing was sent there; give the final address.`,
      )
    }
    const said = this.quote(messageOf(await readText(response).catch(() => '')))
    const quoted = said && `: ${said}`
    const of = (...[trouble, message]: ConstructorParameters<typeof EndpointError>) =>
      new StatusError(status, said, retryAfterMs(headers.get('Retry-After')), trouble, message)
    if (status === 401 || status === 403)
      return of('denied', `${host} answered ${status}${quoted}. Give an API key that may use this model.`)
    if (status === 404)
      return of(
        'missing',
        `${host} answered 404${quoted}. Check the model's name, and the address: ${baseUrl}`,
      )
    if (status === 413)
      return of('oversized', `${host} answered 413${quoted}. Send fewer or smaller pictures.`)
    if (status === 429 || status >= 500)
      return of('busy', `${host} answered ${status}${quoted}. Wait a while and ask again.`)
    return of('refused', `${host} answered ${status}${quoted || '.'}`)
  }
}

/**
 * The address of a server.
 *
 * Throws: EndpointError; the message never repeats a password.
 */
export function parseBaseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new EndpointError(
      'address',
      'expected an http:// or https:// URL such as http://localhost:8000/v1, got another text; correct it',
    )
  }
  if (url.username || url.password)
    throw new EndpointError('address', 'expected a URL without user and password, got one with; remove them')
  if (url.search || url.hash)
    throw new EndpointError(
      'address',
      'expected a URL without "?" and "#", got one with; remove what follows',
    )
  return url
}

/** Whether an address is this machine's own, which browsers take for secure. */
export const isLoopback = ({ hostname }: URL): boolean =>
  /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)

/** Seconds, or a date. */
function retryAfterMs(header: string | null): number | undefined {
  if (!header) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

/** Waits; rejects with the signal's reason when it aborts first. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return within(new Promise((resolve) => setTimeout(resolve, ms)), signal)
}

/** The promise's outcome, or the signal's reason as soon as it aborts. */
export async function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

export const stopped = () => contractError('AbortError', 'endpoint: stopped.')
