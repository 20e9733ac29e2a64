/** What is shown of a server's own words, in characters. */
export const MESSAGE_LIMIT = 400

/** What is read of an answer that is no stream, in bytes: a list of models, an error, a whole completion. */
const TEXT_LIMIT = 4 << 20

/**
 * An answer's text.
 *
 * Throws: RangeError where it is longer than anything that is meant to be read whole; what the connection throws.
 */
export async function readText(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  if (!reader) return ''
  const decoder = new TextDecoder()
  let text = ''
  let sizeBytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    sizeBytes += value.byteLength
    if (sizeBytes > TEXT_LIMIT) {
      await reader.cancel()
      throw new RangeError(`more than ${TEXT_LIMIT} bytes`)
    }
    text += decoder.decode(value, { stream: true })
  }
}

/** JSON, or undefined where a text is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A field of what may be an object. */
export const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined

/** What a server says went wrong, in the words of the servers there are; nothing of a page in HTML. */
export function messageOf(text: string): string {
  const json = parseJson(text)
  if (json === undefined) return /^\s*</.test(text) ? '' : text
  return told(json)
}

/** OpenAI, vLLM, SGLang, llama.cpp: `error.message`; FastAPI: `detail`, a text or a list of fields. */
function told(json: unknown): string {
  if (typeof json === 'string') return json
  if (Array.isArray(json)) return json.map(told).filter(Boolean).join('; ')
  const place = field(json, 'loc')
  const words = field(json, 'msg')
  if (typeof words === 'string') return Array.isArray(place) ? `${place.join('.')}: ${words}` : words
  for (const name of ['error', 'message', 'detail']) {
    const value = field(json, name)
    if (value !== undefined && value !== null) return told(value)
  }
  return ''
}
