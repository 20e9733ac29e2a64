/** What went wrong with a server, as the first word of an EndpointError's message after `endpoint`. */
export type EndpointTrouble =
  /** The address is none, or holds what it must not. */
  | 'address'
  /** A page over https may not ask a server over http. */
  | 'insecure'
  | 'unreachable'
  /** It answers, but its CORS headers do not let this page read. */
  | 'blocked'
  | 'redirected'
  /** 401, 403. */
  | 'denied'
  /** 404: no such model, or nothing at this address. */
  | 'missing'
  /** 413. */
  | 'oversized'
  /** 400 and its like. */
  | 'refused'
  /** 429, 5xx. */
  | 'busy'
  /** The connection ended before the answer did. */
  | 'broken'
  | 'stalled'
  /** What came is no answer of this protocol. */
  | 'malformed'
  /** The server told of an error inside its answer. */
  | 'failed'
  /** It serves several models, or tells none. */
  | 'unnamed'

/** A server that cannot be asked, or does not answer as it should. */
export class EndpointError extends Error {
  override readonly name = 'EndpointError'

  /** `message` says what was expected, what came and what to do. */
  constructor(
    readonly trouble: EndpointTrouble,
    message: string,
  ) {
    super(`endpoint ${trouble}: ${message}`)
  }
}

/** An error of another class of the contract, told apart by its name. */
export const contractError = (
  name: 'AbortError' | 'ConfigError' | 'ContextOverflowError' | 'ImageError',
  message: string,
): Error => Object.assign(new Error(message), { name })

/** What an error of the platform says, on one line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = error.cause instanceof Error && 'code' in error.cause ? ` (${String(error.cause.code)})` : ''
  return `${error.message}${code}`.replace(/\s+/g, ' ')
}
