import { EndpointModel } from '../remote/endpoint'
import type { EndpointLocation } from '../worker/api'

/**
 * A model on a server. Its key is taken from the environment: a command line is for everybody on the machine to read.
 *
 * Throws: EndpointError; AbortError when the signal aborts.
 */
export function openEndpoint(
  { baseUrl, model }: Pick<EndpointLocation, 'baseUrl' | 'model'>,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<EndpointModel> {
  const apiKey = env['TRILOBITE_API_KEY']
  return EndpointModel.open({ kind: 'endpoint', baseUrl, model, ...(apiKey && { apiKey }) }, signal)
}
