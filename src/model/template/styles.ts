import type { LabelRuleMaker, TemplateText } from './labels/definition'
import { splitSystem, withImages, type ChatTemplate, type TemplateMessage } from './definition'

/**
 * Speakers named before a colon: `USER: ... ASSISTANT:`.
 *
 * Source: LLaVA conversation.py, SeparatorStyle.TWO and SINGLE (one separator for both speakers).
 */
export function namedSpeakers(style: {
  name: string
  system: string
  user: string
  assistant: string
  /** Stands after the system message. */
  afterSystem: string
  userEnd: string
  assistantEnd: string
  stop: readonly string[]
  labels?: LabelRuleMaker
}): ChatTemplate {
  const { user, assistant, afterSystem, userEnd, assistantEnd } = style
  const transcript = (messages: readonly TemplateMessage[]) => {
    const { system, turns } = splitSystem(messages, style.system)
    const rendered = turns.map((turn) =>
      turn.role === 'user'
        ? `${user}: ${withImages(turn)}${userEnd}`
        : `${assistant}: ${turn.text}${assistantEnd}`,
    )
    return `${system}${afterSystem}${rendered.join('')}`
  }
  return withLabels({
    ...style,
    replyStart: `${userEnd}${assistant}: `,
    end: assistantEnd,
    transcript,
    opening: (messages) => `${transcript(messages)}${assistant}:`,
  })
}

/** A template of its text, with its label rule where it has one. */
function withLabels({
  name,
  stop,
  labels,
  ...text
}: TemplateText & { name: string; stop: readonly string[]; labels?: LabelRuleMaker }): ChatTemplate {
  return { name, stop, render: text.opening, ...(labels && { labels: labels(text) }) }
}

/**
 * Turns between markers: `<|im_start|>user\n...<|im_end|>`.
 *
 * Source: LLaVA conversation.py, SeparatorStyle.MPT; Cambrian's PHI3 and GEMMA.
 */
export function markedTurns(style: {
  name: string
  /** What stands before the first turn, made from the system message. */
  head: (system: string) => string
  system: string
  user: string
  assistant: string
  end: string
  stop: readonly string[]
  labels?: LabelRuleMaker
}): ChatTemplate {
  const { head, user, assistant, end } = style
  const transcript = (messages: readonly TemplateMessage[]) => {
    const { system, turns } = splitSystem(messages, style.system)
    const rendered = turns.map((turn) =>
      turn.role === 'user' ? `${user}${withImages(turn)}${end}` : `${assistant}${turn.text}${end}`,
    )
    return `${head(system)}${rendered.join('')}`
  }
  return withLabels({
    ...style,
    replyStart: `${end}${assistant}`,
    transcript,
    opening: (messages) => `${transcript(messages)}${assistant}`,
  })
}

/** ChatML whose turns follow each other without a newline, as LLaVA writes it. */
export const chatMlWithoutNewlines = (name: string, system: string, labels?: LabelRuleMaker) =>
  markedTurns({
    name,
    system,
    ...(labels && { labels }),
    head: (text) => `<|im_start|>system\n${text}<|im_end|>`,
    user: '<|im_start|>user\n',
    assistant: '<|im_start|>assistant\n',
    end: '<|im_end|>',
    stop: ['<|im_end|>'],
  })

/**
 * Questions between [INST] and [/INST], the system message inside the first.
 *
 * The tokenizer writes the BOS of the first turn.
 * Source: LLaVA conversation.py, SeparatorStyle.LLAMA_2; Cambrian's MISTRAL.
 */
export function instTurns(style: {
  name: string
  system: string
  /** Opens every turn but the first. */
  turnStart: string
  /** Blanks around a reply. */
  beforeReply: string
  afterReply: string
  labels?: LabelRuleMaker
}): ChatTemplate {
  const { turnStart, beforeReply, afterReply } = style
  const transcript = (messages: readonly TemplateMessage[]) => {
    const { system, turns } = splitSystem(messages, style.system)
    const head = system === '' ? '' : `<<SYS>>\n${system}\n<</SYS>>\n\n`
    return turns
      .map((turn, i) =>
        turn.role === 'user'
          ? `${i ? turnStart : ''}[INST] ${i ? '' : head}${withImages(turn)} [/INST]`
          : `${beforeReply}${turn.text}${afterReply}</s>`,
      )
      .join('')
  }
  return withLabels({
    ...style,
    user: '[INST]',
    assistant: '[/INST]',
    replyStart: '[/INST] ',
    end: '</s>',
    stop: ['</s>'],
    transcript,
    opening: transcript,
  })
}

/** TinyLLaVA's one format, which differs by the end token of the language model; questions lose blanks around them. */
export function tinyLlavaTurns(name: string, end: string, labels: LabelRuleMaker): ChatTemplate {
  const turns = namedSpeakers({
    name,
    system:
      'A chat between a curious user and an artificial intelligence assistant. ' +
      "The assistant gives helpful, detailed, and polite answers to the user's questions.",
    user: 'USER',
    assistant: 'ASSISTANT',
    afterSystem: ' ',
    userEnd: ' ',
    assistantEnd: end,
    stop: [end],
    labels,
  })
  const trimmed = (message: TemplateMessage) =>
    message.role === 'user' ? { ...message, text: message.text.trim() } : message
  return { ...turns, render: (messages) => turns.render(messages.map(trimmed)) }
}
