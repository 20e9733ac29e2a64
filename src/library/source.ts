import type { ModelSource } from '../worker/api'

/**
 * A model by what people write for it: `owner/name` on Hugging Face (`owner/name@revision`), or the address of a folder.
 *
 * Throws: TypeError for a text that is neither.
 */
export function modelSource(model: string | ModelSource): ModelSource {
  if (typeof model !== 'string') return model
  const hub = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/.exec(model)
  if (hub) return { kind: 'hub', repo: hub[1]!, ...(hub[2] && { revision: hub[2] }) }
  if (/^(https?:\/\/|\.{0,2}\/)/.test(model)) return { kind: 'url', baseUrl: model }
  throw new TypeError(
    `model: should be "owner/name" of a Hugging Face repository, or an address that begins with http, / or ./, but is ${JSON.stringify(model)}`,
  )
}
