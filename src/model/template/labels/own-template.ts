import { TemplateError } from '../../errors'
import type { Utterance } from '../../train/definition'
import { IMAGE_PLACEHOLDER, type TemplateMessage } from '../definition'
import type { SupervisedConversation } from './definition'
import { ignore, nothingLearned } from './rounds'

/** A checkpoint's own chat template and the tokenizer that goes with it. */
export interface OwnTemplate {
  /** `open`: up to where the assistant speaks. */
  render(messages: readonly TemplateMessage[], open: boolean): string
  encode(text: string): number[]
  readonly eosToken: string | undefined
}

const ROLES = { human: 'user', gpt: 'assistant', system: 'system' } as const

/** Turns for templates that place pictures themselves. */
function messagesOf(conversation: readonly Utterance[]): TemplateMessage[] {
  return conversation.map(({ from, value }) => {
    const pieces = value.split(IMAGE_PLACEHOLDER)
    return pieces.length === 1 || from === 'gpt'
      ? { role: ROLES[from], text: value, images: 0 }
      : { role: ROLES[from], text: pieces.join('').trim(), images: pieces.length - 1 }
  })
}

/**
 * Replies and what ends them, under a checkpoint's own chat template.
 *
 * A reply is what the conversation up to its end has more than the one up to where the assistant speaks; blanks that the
 * template writes behind an EOS are not learned. A token that lies across a boundary belongs to what comes behind it. Where
 * the template ends replies with a blank alone (LLaVA 1.5 in transformers), no EOS is learned.
 *
 * Throws: TemplateError where a conversation's beginning is not rendered the same when it goes on.
 */
export function superviseOwn(conversation: readonly Utterance[], own: OwnTemplate): SupervisedConversation {
  const messages = messagesOf(conversation)
  const whole = own.render(messages, false)
  const ids = own.encode(whole)
  const labels = [...ids]
  let at = 0
  for (const [i, { role }] of messages.entries()) {
    if (role !== 'assistant') continue
    const before = own.render(messages.slice(0, i), true)
    const finished = own.render(messages.slice(0, i + 1), false)
    if (!finished.startsWith(before) || !whole.startsWith(finished)) {
      throw new TemplateError(
        `chat template: the checkpoint's own renders turn ${i + 1} otherwise when the conversation goes on, so its ` +
          'replies cannot be found. Train with rows of one question and one reply, or with a named template.',
      )
    }
    const end = before.length + lengthToLearn(finished.slice(before.length), own.eosToken)
    ignore(labels, at, shared(own.encode(before), ids))
    at = shared(own.encode(finished.slice(0, end)), ids)
  }
  ignore(labels, at, labels.length)
  return at === 0 ? nothingLearned(ids, 'nobody replies in it') : { ids, labels }
}

/** Ids up to where the first reply begins. */
export function promptOfOwn(conversation: readonly Utterance[], own: OwnTemplate): number[] {
  const messages = messagesOf(conversation)
  const reply = messages.findIndex(({ role }) => role === 'assistant')
  return own.encode(own.render(reply < 0 ? messages : messages.slice(0, reply), true))
}

function lengthToLearn(reply: string, eosToken: string | undefined): number {
  const eos = eosToken ? reply.lastIndexOf(eosToken) : -1
  if (eos < 0) return reply.length
  const end = eos + eosToken!.length
  return reply.slice(end).trim() === '' ? end : reply.length
}

/** How many ids two lists begin with alike. */
function shared(a: readonly number[], b: readonly number[]): number {
  let count = 0
  while (count < a.length && a[count] === b[count]) count++
  return count
}
