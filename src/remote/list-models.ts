import { EndpointError } from './errors'
import { PATIENCE, stopped, StatusError, type Server } from './server'
import { field, parseJson, readText } from './server-message'

/** A model as a server lists it. */
export interface ListedModel {
  id: string
  /** Units: tokens; where the server tells it. */
  contextLength?: number
}

/** More than this are not shown. */
const MOST = 500

/**
 * The models a server has; undefined where it does not say which, and a name must be typed.
 *
 * Throws: EndpointError; AbortError when the signal aborts.
 */
export async function listModels(
  server: Server,
  signal: AbortSignal,
  { listMs } = PATIENCE,
): Promise<ListedModel[] | undefined> {
  const patience = AbortSignal.timeout(listMs)
  try {
    const response = await server.request('/models', AbortSignal.any([signal, patience]))
    const data = field(parseJson(await readText(response)), 'data')
    if (!Array.isArray(data)) {
      throw new EndpointError(
        'malformed',
        `expected ${server.host} to list its models, got something else. Check the address: it mostly ends in /v1.`,
      )
    }
    return data.slice(0, MOST).flatMap((entry: unknown) => {
      const id = field(entry, 'id')
      if (typeof id !== 'string' || !id) return []
      const contextLength = contextOf(entry)
      return [{ id, ...(contextLength !== undefined && { contextLength }) }]
    })
  } catch (error) {
    if (signal.aborted) throw stopped()
    if (patience.aborted)
      throw new EndpointError(
        'stalled',
        `expected ${server.host} to list its models, got nothing for ${listMs / 1000} s. Try again.`,
      )
    if (error instanceof StatusError && [403, 404, 405, 501].includes(error.status)) return undefined
    if (error instanceof EndpointError) throw error
    throw new EndpointError(
      'broken',
      `expected ${server.host} to list its models, but the connection ended. Try again.`,
    )
  }
}

/** vLLM and SGLang: `max_model_len`; llama.cpp: `meta.n_ctx`. */
function contextOf(entry: unknown): number | undefined {
  const tokens = field(entry, 'max_model_len') ?? field(field(entry, 'meta'), 'n_ctx')
  return typeof tokens === 'number' && Number.isSafeInteger(tokens) && tokens > 0 ? tokens : undefined
}
