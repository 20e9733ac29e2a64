import type { ModelSource } from '../worker/api'
import type { DatasetSource } from '../worker/training-api'

/**
 * A model by what people write for it: `owner/name` on Hugging Face (`owner/name@revision`), or the address of a folder,
 * which may be relative to the page.
 *
 * Throws: TypeError for a text that is neither.
 */
export function modelSource(model: string | ModelSource): ModelSource {
  if (typeof model !== 'string') return model
  const hub = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/.exec(model)
  if (hub && !/^\.{1,2}\//.test(model))
    return { kind: 'hub', repo: hub[1]!, ...(hub[2] && { revision: hub[2] }) }
  if (/^(https?:\/\/|\.{0,2}\/)/.test(model)) return { kind: 'url', baseUrl: absolute(model) }
  throw new TypeError(
    `model: should be "owner/name" of a Hugging Face repository, or an address that begins with http, / or ./, but is ${JSON.stringify(model)}`,
  )
}

/** Data whose address, if it has one, is whole. */
export function absoluteData(source: DatasetSource): DatasetSource {
  return source.kind === 'zip-url' ? { ...source, url: absolute(source.url) } : source
}

/** Addresses are relative to the page; the worker, made from this module's code, has no address of its own. */
function absolute(address: string): string {
  const { document } = globalThis as { document?: { baseURI: string } }
  return document ? new URL(address, document.baseURI).href : address
}
