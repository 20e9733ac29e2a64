import type { Utterance } from '../../train/definition'
import { IMAGE_PLACEHOLDER, type TemplateMessage } from '../definition'

/** Turns as templates take them, or why the row has none; placeholders stand in their words. */
export interface Turns {
  readonly messages: readonly TemplateMessage[]
  readonly problem?: string
}

const BLANK = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const BLANKS_AROUND = new RegExp(`^${BLANK}+|${BLANK}+$`, 'g')

/** Python's str.strip(), which differs from trim() by a few control characters and the byte order mark. */
const strip = (text: string) => text.replace(BLANKS_AROUND, '')

const message = (role: TemplateMessage['role'], text: string): TemplateMessage => ({ role, text, images: 0 })

/**
 * A sentence with its picture moved in front, on a line of its own; of several placeholders one remains.
 *
 * Source: LLaVA train.py, preprocess_multimodal.
 */
export function imageFirst(value: string, imageMark: string): string {
  if (!value.includes(IMAGE_PLACEHOLDER)) return value
  const words = strip(value.replaceAll(IMAGE_PLACEHOLDER, ''))
  return strip(`${IMAGE_PLACEHOLDER}\n${words}`).replace(IMAGE_PLACEHOLDER, imageMark)
}

/**
 * Turns as LLaVA and Cambrian take them: a reply that nobody asked for is dropped from the beginning, then human and gpt
 * alternate. A turn without words spoils their counts, so it is a problem here.
 *
 * Source: LLaVA train.py, preprocess_v1 and its likes. They know no system role; here its words replace the template's.
 */
export function llavaTurns(conversation: readonly Utterance[], imageMark: string): Turns {
  const [first, ...rest] = conversation
  const system = first?.from === 'system' ? [message('system', first.value)] : []
  const spoken = system.length ? rest : conversation
  const asked = spoken[0]?.from === 'gpt' ? spoken.slice(1) : spoken
  const messages = [
    ...system,
    ...asked.map(({ from, value }) =>
      message(from === 'human' ? 'user' : 'assistant', imageFirst(value, imageMark)),
    ),
  ]
  const wrong = asked.findIndex(({ from }, i) => from !== (i % 2 ? 'gpt' : 'human'))
  const empty = asked.findIndex(({ value }) => value === '')
  if (asked.length === 0) return { messages, problem: 'nobody asks anything in it' }
  if (wrong >= 0) {
    const expected = wrong % 2 ? 'gpt' : 'human'
    return {
      messages,
      problem: `human and gpt do not take turns: "${asked[wrong]!.from}" speaks where "${expected}" should`,
    }
  }
  if (empty >= 0) return { messages, problem: `"${asked[empty]!.from}" says nothing` }
  return { messages }
}

/**
 * Turns as TinyLLaVA takes them: whatever is not human at the beginning is dropped, then questions and answers alternate
 * whoever is named. Pictures are moved in questions only.
 *
 * Source: TinyLLaVA Factory, data/template/base.py, get_list_from_message and _prompt.
 */
export function tinyLlavaTurns(conversation: readonly Utterance[]): Turns {
  const asked = conversation[0]?.from === 'human' ? conversation : conversation.slice(1)
  const messages = asked.map(({ value }, i) =>
    i % 2 ? message('assistant', value) : message('user', imageFirst(value, IMAGE_PLACEHOLDER)),
  )
  if (asked.length === 0) return { messages, problem: 'nobody asks anything in it' }
  if (asked.length % 2) return { messages, problem: 'its last question has no answer' }
  return { messages }
}

/** The turns before the first reply. */
export function beforeReply(messages: readonly TemplateMessage[]): readonly TemplateMessage[] {
  const reply = messages.findIndex(({ role }) => role === 'assistant')
  return reply < 0 ? messages : messages.slice(0, reply)
}
