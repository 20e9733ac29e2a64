import { createParser } from 'eventsource-parser'
import type { FinishReason } from '../worker/api'
import { EndpointError } from './errors'
import type { Server } from './server'
import { field, messageOf, parseJson } from './server-message'

/** Tokens as the server counted them. */
export interface Usage {
  promptTokens?: number
  generatedTokens?: number
  /** Of the prompt, from its cache. */
  reusedTokens?: number
}

/** What one event of a stream tells. */
export interface Piece {
  text?: string
  finish?: FinishReason
  usage?: Usage
  /** The stream says that it is over. */
  isEnd?: true
}

/** Longest event, in characters: one holds a token or a few, of a server that does not stream the whole answer. */
const EVENT_LIMIT = 1 << 20

/**
 * Reads a stream of server-sent events piece by piece. `read` gives its next text, and nothing at its end.
 *
 * Throws: EndpointError; what `read` throws.
 */
export async function* readPieces(
  read: () => Promise<string | undefined>,
  server: Server,
): AsyncGenerator<Piece, void> {
  let events: string[] = []
  let isTooLong = false
  const parser = createParser({
    maxBufferSize: EVENT_LIMIT,
    onEvent: ({ data }) => events.push(data),
    onError: ({ type }) => (isTooLong ||= type === 'max-buffer-size-exceeded'),
  })
  for (;;) {
    const text = await read()
    if (text === undefined) parser.reset({ consume: true })
    else parser.feed(text)
    const come = events
    events = []
    for (const data of come) yield pieceOf(data, server)
    if (isTooLong) {
      throw new EndpointError(
        'malformed',
        `expected ${server.host} to answer in short events, got one of more than ${EVENT_LIMIT} characters. ` +
          'Check the address.',
      )
    }
    if (text === undefined) return
  }
}

/** Reads one event, or a whole answer of a server that does not stream. Throws: EndpointError. */
export function pieceOf(data: string, server: Server): Piece {
  if (data.trim() === '[DONE]') return { isEnd: true }
  const json = parseJson(data)
  if (typeof json !== 'object' || json === null) {
    throw new EndpointError(
      'malformed',
      `expected ${server.host} to answer in JSON, got ${JSON.stringify(server.quote(data).slice(0, 80))}. ` +
        'Check the address, and that its server speaks OpenAI’s chat completions.',
    )
  }
  if (field(json, 'error')) {
    const said = server.quote(messageOf(data)) || 'an error without words'
    throw new EndpointError('failed', `expected ${server.host} to go on with its answer, got: ${said}`)
  }
  const choices = field(json, 'choices')
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined
  const text = field(field(choice, 'delta') ?? field(choice, 'message'), 'content')
  const finish = FINISHES[String(field(choice, 'finish_reason') ?? '')]
  const usage = usageOf(field(json, 'usage'))
  return {
    ...(typeof text === 'string' && text && { text }),
    ...(finish && { finish }),
    ...(usage && { usage }),
  }
}

const FINISHES: Record<string, FinishReason> = {
  stop: 'stop',
  eos_token: 'stop',
  stop_sequence: 'stop',
  content_filter: 'stop',
  tool_calls: 'stop',
  length: 'length',
  abort: 'aborted',
}

function usageOf(usage: unknown): Usage | undefined {
  const count = (value: unknown) => (Number.isSafeInteger(value) ? { is: value as number } : undefined)
  const prompt = count(field(usage, 'prompt_tokens'))
  const generated = count(field(usage, 'completion_tokens'))
  const reused = count(field(field(usage, 'prompt_tokens_details'), 'cached_tokens'))
  if (!prompt && !generated) return undefined
  return {
    ...(prompt && { promptTokens: prompt.is }),
    ...(generated && { generatedTokens: generated.is }),
    ...(reused && { reusedTokens: reused.is }),
  }
}
