import type { AskRequest, ChatMessage } from '../worker/api'

/** Fields of a request that a server may refuse, and that an answer can be had without. */
const OPTIONAL = [
  'stream_options',
  'temperature',
  'top_p',
  'top_k',
  'repetition_penalty',
  'seed',
  'max_tokens',
  'max_completion_tokens',
  'stop',
] as const
export type OptionalField = (typeof OPTIONAL)[number]

type Part = { type: 'text'; text: string } | { type: 'image_url'; image_url: { url: string } }

/** The body of a request for a chat completion. */
export interface ChatBody extends Partial<Record<OptionalField, unknown>> {
  model: string
  messages: { role: ChatMessage['role']; content: string | Part[] }[]
  stream: true
}

/**
 * A request for an answer, without the fields the server is known to refuse. What says nothing new is left out: servers
 * differ in what they know.
 */
export function chatBody(
  model: string,
  { messages, sampling, maxNewTokens, stop }: AskRequest,
  urlOf: (imageId: string) => string,
  refused: ReadonlySet<OptionalField>,
): ChatBody {
  const { temperature, topP, topK, repetitionPenalty, seed } = sampling
  const isSampled = temperature > 0
  const wanted: Partial<Record<OptionalField, unknown>> = {
    stream_options: { include_usage: true },
    temperature,
    ...(isSampled && topP < 1 && { top_p: topP }),
    ...(isSampled && topK > 0 && { top_k: topK }),
    ...(isSampled && { seed }),
    ...(repetitionPenalty !== 1 && { repetition_penalty: repetitionPenalty }),
    [refused.has('max_tokens') ? 'max_completion_tokens' : 'max_tokens']: maxNewTokens,
    ...(stop?.length && { stop }),
  }
  return {
    model,
    messages: messages.map(({ role, text, images = [] }) => ({
      role,
      // Pictures first, as the chat templates of these models have them.
      content: images.length
        ? [
            ...images.map(({ id }): Part => ({ type: 'image_url', image_url: { url: urlOf(id) } })),
            { type: 'text', text },
          ]
        : text,
    })),
    stream: true,
    ...Object.fromEntries(Object.entries(wanted).filter(([name]) => !refused.has(name as OptionalField))),
  }
}

/** Words that servers also use in sentences about something else. */
const COMMON_WORDS: readonly OptionalField[] = ['temperature', 'seed', 'stop']

/** The fields of a request that a server's words name as not wanted. */
export function refusedFields(said: string, body: ChatBody): OptionalField[] {
  return OPTIONAL.filter((name) => {
    if (!(name in body)) return false
    const before = COMMON_WORDS.includes(name) ? `(?:['"\`.]|supplied: ?)` : '(?<!\\w)'
    return new RegExp(`${before}${name}(?!\\w)`).test(said)
  })
}

/** Whether a server's words say that the conversation is too long for the model. */
export const saysContextIsFull = (said: string): boolean =>
  /context (?:length|size|window)|exceeds? the (?:available )?context|too many tokens|prompt is too long/i.test(
    said,
  )
