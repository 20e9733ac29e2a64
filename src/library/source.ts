import type { ModelSource } from '../worker/api'
import type { DatasetSource } from '../worker/training-api'

/**
 * A model by what people write for it: `owner/name` on Hugging Face (`owner/name@revision`), or the address of a folder,
 * which may be relative to the page or, in a worker, to its script.
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

/**
 * Addresses are relative to the page, or to the script of the worker that asks. The engine's own worker, made from this
 * module's code, has a blob: address, to which nothing can be relative.
 */
function absolute(address: string): string {
  const { document, location } = globalThis as { document?: { baseURI: string }; location?: { href: string } }
  const base = document?.baseURI ?? location?.href
  return base !== undefined && !/^(?:blob|data):/.test(base) ? new URL(address, base).href : address
}
