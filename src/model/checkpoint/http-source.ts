import { TrilobiteError } from '../../kernels/errors'
import { AbortError, ConfigError, NetworkError } from '../errors'
import {
  abortable,
  DEFAULT_STALL_MS,
  reasonOf,
  sleep as realSleep,
  throwIfAborted,
  TransientNetworkError,
  withRetries,
  type Sleep,
} from './retry'
import {
  checkPath,
  decodeText,
  MAX_TEXT_BYTES,
  textTooLarge,
  type ByteRange,
  type CheckpointSource,
  type ReadTextOptions,
} from './source'
import { linkedHash, parseChecksums, type HashList, type StatedHashes } from './stated-hashes'
import { WatchedReader } from './watched-reader'

export interface HttpOptions {
  /** Default: the platform's. */
  fetch?: typeof fetch
  sleep?: Sleep
  /** How long to wait for a response's head, and for each chunk of a text. Default: `DEFAULT_STALL_MS`. */
  stallMs?: number
}

interface Site {
  name: string
  urlOf(path: string): string
  /** Sent as bearer token to `urlOf`'s host. fetch drops it where a redirect leaves that origin. */
  token?: string
  /** What to do about 401 and 403. */
  adviceForDenied: string
  /** On `urlOf`'s host. */
  hashes: HashList
}

/**
 * Bytes read and thrown away to reach `start` on a server that ignores ranges; enough to pass any real header,
 * little enough to be done before the connection counts as stalled.
 */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024

/** Pages of a list of hashes, 1000 files each on the hub. */
const MAX_HASH_PAGES = 20

/**
 * A checkpoint's folder served over HTTP at `baseUrl`. A file SHA256SUMS in it, as `sha256sum *` writes one, states the
 * hashes of the others.
 *
 * Throws: ConfigError unless that is an http(s) URL without user, password, query and fragment.
 */
export function httpSource(baseUrl: string, options: HttpOptions = {}): CheckpointSource {
  const base = parseBaseUrl(baseUrl, 'url')
  return new HttpSource(
    {
      name: base,
      urlOf: (path) => base + path.split('/').map(encodeURIComponent).join('/'),
      adviceForDenied: 'make the folder readable without signing in, or load the files from this machine',
      hashes: { url: `${base}SHA256SUMS`, parse: parseChecksums },
    },
    options,
  )
}

/** A base URL in normal form, ending in `/`. Throws: ConfigError; the message never repeats a password. */
export function parseBaseUrl(text: string, where: string): string {
  let url: URL | undefined
  try {
    url = new URL(text)
  } catch {
    // Reported below: the platform's message would repeat the text, password included.
  }
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new ConfigError(
      `${where}: expected an http:// or https:// URL of a folder, got another text; correct it`,
    )
  }
  if (url.username || url.password) {
    throw new ConfigError(`${where}: expected a URL without user and password, got one with; remove them`)
  }
  if (url.search || url.hash) {
    throw new ConfigError(
      `${where}: expected a folder's URL without "?" and "#", got one with; give the folder that holds config.json`,
    )
  }
  return url.href.endsWith('/') ? url.href : `${url.href}/`
}

/** Reads files of a site with HEAD, GET and byte ranges. */
export class HttpSource implements CheckpointSource {
  readonly name: string
  readonly address: string
  ignoresRanges = false
  readonly #site: Site
  readonly #fetch: typeof fetch
  readonly #sleep: Sleep
  readonly #stallMs: number
  /** From headers of answers. */
  readonly #linkedHashes = new Map<string, string>()
  #statedHashes: Promise<StatedHashes> | undefined

  constructor(site: Site, options: HttpOptions) {
    this.name = site.name
    this.address = site.urlOf('')
    this.#site = site
    // Called as a plain function: browsers refuse fetch with another `this`.
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init))
    this.#sleep = options.sleep ?? realSleep
    this.#stallMs = options.stallMs ?? DEFAULT_STALL_MS
  }

  async sizeOf(path: string, signal?: AbortSignal): Promise<number | undefined> {
    const head = await this.#open(path, { method: 'HEAD' }, signal, { mayFail: true })
    if (head === undefined) return undefined
    const headSize = head.ok ? plainLength(head) : undefined
    if (headSize !== undefined) return headSize

    // HEAD not allowed, or a length that is missing or that of a compressed body.
    const range = await this.#open(path, { headers: { range: 'bytes=0-0' } }, signal, { emptyIs416: true })
    if (range === undefined) return undefined
    drop(range)
    const size = range.status === 200 ? plainLength(range) : rangeTotal(range)
    if (size === undefined) {
      throw new NetworkError(
        `${this.name}: expected the size of ${path} in Content-Length or Content-Range, got neither; ` +
          'the server must send one of them (and, on another origin, allow the page to read it)',
      )
    }
    return size
  }

  async readText(path: string, options: ReadTextOptions = {}): Promise<string | undefined> {
    const { signal, maxBytes = MAX_TEXT_BYTES } = options
    const where = `${this.name}: ${path}`
    return withRetries(
      async () => {
        const response = await this.#attempt(path, {}, signal)
        if (response === undefined) return undefined
        const announced = plainLength(response) ?? 0
        if (announced > maxBytes) {
          drop(response)
          throw textTooLarge(where, maxBytes, announced)
        }
        return decodeText(await this.#readWhole(response, where, maxBytes, signal), where)
      },
      { sleep: this.#sleep, signal },
    )
  }

  async sha256Of(path: string, signal?: AbortSignal): Promise<string | undefined> {
    checkPath(path, this.name)
    this.#statedHashes ??= this.#readHashes(signal)
    try {
      const stated = await this.#statedHashes
      return stated.get(path) ?? this.#linkedHashes.get(path)
    } catch (error) {
      this.#statedHashes = undefined
      throwIfAborted(signal)
      // Mirrors have files and no list, lists may be damaged: what is not stated cannot be checked, and is reported so.
      if (error instanceof AbortError) return this.sha256Of(path, signal)
      this.#statedHashes = Promise.resolve(new Map())
      return this.#linkedHashes.get(path)
    }
  }

  async #readHashes(signal: AbortSignal | undefined): Promise<StatedHashes> {
    const { url, parse } = this.#site.hashes
    const hashes = new Map<string, string>()
    let next: string | undefined = url
    for (let page = 0; next !== undefined && page < MAX_HASH_PAGES; page++) {
      const here: string = next
      const where = `${this.name}: list of hashes`
      const response = await withRetries(() => this.#answer(here, where, {}, signal, { mayFail: true }), {
        sleep: this.#sleep,
        signal,
      })
      if (!response?.ok) break
      const text = decodeText(await this.#readWhole(response, where, MAX_TEXT_BYTES, signal), where)
      for (const [path, hash] of parse(text, where)) hashes.set(path, hash)
      next = nextPage(response, here)
    }
    return hashes
  }

  async stream(path: string, range: ByteRange = {}): Promise<ReadableStream<Uint8Array>> {
    const { start = 0, end, signal } = range
    if (end !== undefined && end <= start) return emptyStream()
    const isWhole = start === 0 && end === undefined
    const headers: Record<string, string> = isWhole
      ? {}
      : { range: `bytes=${start}-${end === undefined ? '' : end - 1}` }
    const response = await this.#open(path, { headers }, signal)
    const where = `${this.name}: ${path}`
    if (response === undefined) {
      throw new NetworkError(`${where}: expected this file, the server has none; check the model's name`)
    }
    const body = response.body ?? emptyStream()
    if (isWhole) return body
    if (response.status === 206) {
      const cameFrom = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]
      if (cameFrom !== undefined && Number(cameFrom) !== start) {
        drop(response)
        throw new NetworkError(
          `${where}: expected bytes from ${start} on, got bytes from ${cameFrom} on; ` +
            'the server or a proxy in between is faulty, load from elsewhere',
        )
      }
      return body
    }
    this.ignoresRanges = true
    if (start > MAX_DISCARDED_BYTES) {
      drop(response)
      throw new NetworkError(
        `${where}: expected bytes from ${start} on, got the whole file: the server ignores byte ranges and the ` +
          'download cannot be taken up again there; serve the folder with range support, or load it from this machine',
      )
    }
    return cut(body, start, end)
  }

  /** A response worth reading, after retries; undefined when there is no such file. */
  #open(
    path: string,
    init: RequestInit,
    signal: AbortSignal | undefined,
    tolerate: Tolerance = {},
  ): Promise<Response | undefined> {
    return withRetries(() => this.#attempt(path, init, signal, tolerate), { sleep: this.#sleep, signal })
  }

  async #attempt(
    path: string,
    init: RequestInit,
    signal: AbortSignal | undefined,
    tolerate: Tolerance = {},
  ): Promise<Response | undefined> {
    checkPath(path, this.name)
    const url = this.#site.urlOf(path)
    const response = await this.#answer(url, `${this.name}: ${path}`, init, signal, tolerate)
    const hash = response && linkedHash(response.headers)
    if (hash !== undefined) this.#linkedHashes.set(path, hash)
    return response
  }

  async #answer(
    url: string,
    where: string,
    init: RequestInit,
    signal: AbortSignal | undefined,
    tolerate: Tolerance,
  ): Promise<Response | undefined> {
    const response = await this.#fetchHead(url, where, init, signal)
    const { status } = response
    // Servers of single-page apps answer any unknown path with their own page.
    const isPage = response.ok && /^text\/html\b/i.test(response.headers.get('content-type') ?? '')
    if (response.ok && !(isPage && !/\.html?$/.test(url))) return response

    if (status === 416 && tolerate.emptyIs416) return response
    drop(response)
    if (status === 408 || status === 429 || status >= 500) {
      // 501 to HEAD is an answer, not a trouble that passes.
      if (tolerate.mayFail && status === 501) return response
      throw new TransientNetworkError(
        `${where}: expected the file, the server answered ${status}; it is busy or broken, try again later`,
        retryAfterMs(response),
      )
    }
    if (response.ok || status === 404 || status === 410) {
      this.#refuseMissingRepository(response)
      return undefined
    }
    if (tolerate.mayFail) return response
    if (status === 401 || status === 403) {
      throw new NetworkError(
        `${where}: expected the file, the server answered ${status}; ${this.#site.adviceForDenied}`,
      )
    }
    if (status === 416) {
      throw new NetworkError(
        `${where}: expected the bytes asked for, the file is shorter; it changed meanwhile, load again`,
      )
    }
    throw new NetworkError(
      `${where}: expected the file, the server answered ${status}; check the model's name`,
    )
  }

  /** The hub says in a header when not only the file but all of it is missing. */
  #refuseMissingRepository(response: Response): void {
    const code = response.headers.get('x-error-code')
    if (code !== 'RepoNotFound' && code !== 'RevisionNotFound') return
    const what = code === 'RepoNotFound' ? 'repository' : 'revision'
    throw new NetworkError(
      `${this.name}: expected an existing ${what}, the server has none; check the model's name and revision`,
    )
  }

  async #fetchHead(
    url: string,
    where: string,
    init: RequestInit,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    throwIfAborted(signal)
    const headers = new Headers(init.headers)
    if (this.#site.token) headers.set('authorization', `Bearer ${this.#site.token}`)

    const tooSlow = new AbortController()
    const timer = setTimeout(() => tooSlow.abort(), this.#stallMs)
    const signals = signal ? [tooSlow.signal, signal] : [tooSlow.signal]
    try {
      return await abortable(
        this.#fetch(url, { ...init, headers, redirect: 'follow', signal: AbortSignal.any(signals) }),
        signal,
      )
    } catch (error) {
      if (error instanceof TrilobiteError) throw error
      const reason = tooSlow.signal.aborted ? `no answer for ${this.#stallMs / 1000} s` : reasonOf(error)
      throw new TransientNetworkError(
        `${where}: expected an answer, the request failed: ${this.#redact(reason)}; check the connection, and that ` +
          'the server allows requests from this page (CORS)',
      )
    } finally {
      clearTimeout(timer)
    }
  }

  async #readWhole(
    response: Response,
    where: string,
    maxBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const reader = new WatchedReader(response.body ?? emptyStream(), where, signal)
    const chunks: Uint8Array[] = []
    let sizeBytes = 0
    try {
      for (;;) {
        const { done, value } = await reader.read(this.#stallMs)
        if (done) break
        sizeBytes += value.byteLength
        if (sizeBytes > maxBytes) throw textTooLarge(where, maxBytes, sizeBytes)
        chunks.push(value.slice())
      }
    } catch (error) {
      if (error instanceof TrilobiteError) throw error
      throw new TransientNetworkError(
        `${where}: expected the whole file, the connection dropped: ${this.#redact(reasonOf(error))}; load again`,
      )
    } finally {
      reader.close()
    }
    return join(chunks, sizeBytes)
  }

  #redact(text: string): string {
    const { token } = this.#site
    return token ? text.replaceAll(token, '(token)') : text
  }
}

interface Tolerance {
  /** Answers that are neither the file nor its absence are returned, not thrown: another request will tell. */
  mayFail?: boolean
  /** A range of an empty file is 416. */
  emptyIs416?: boolean
}

/** Content-Length where it counts the file's own bytes. */
function plainLength(response: Response): number | undefined {
  const encoding = response.headers.get('content-encoding')
  const length = response.headers.get('content-length')
  if (encoding && encoding !== 'identity') return undefined
  return length && /^\d+$/.test(length) ? Number(length) : undefined
}

/** The file's size from `Content-Range: bytes 0-0/1234`, or of an empty file, `bytes *` + `/0`. */
function rangeTotal(response: Response): number | undefined {
  const total = /^bytes (?:\d+-\d+|\*)\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}

/** Where a list goes on, as `Link` says: never another host, where the token would go. */
function nextPage(response: Response, here: string): string | undefined {
  const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.headers.get('link') ?? '')?.[1]
  if (link === undefined || !URL.canParse(link, here)) return undefined
  const url = new URL(link, here)
  return url.origin === new URL(here).origin ? url.href : undefined
}

/** Retry-After in milliseconds; 0 when absent or a date. */
function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? 0)
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : 0
}

/** Frees the connection of a response whose body nobody reads. */
function drop(response: Response): void {
  response.body?.cancel().catch(() => undefined)
}

function emptyStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() })
}

function join(chunks: Uint8Array[], sizeBytes: number): Uint8Array {
  const whole = new Uint8Array(sizeBytes)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

/** Bytes `start` to `end` of a stream that begins at byte 0. */
function cut(
  body: ReadableStream<Uint8Array>,
  start: number,
  end: number | undefined,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  const stop = end ?? Infinity
  let at = 0
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return controller.close()
        const wanted = value.subarray(Math.max(0, start - at), Math.max(0, stop - at))
        at += value.byteLength
        if (wanted.byteLength > 0) controller.enqueue(wanted)
        if (at >= stop) {
          controller.close()
          reader.cancel().catch(() => undefined)
          return
        }
        if (wanted.byteLength > 0) return
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
}
