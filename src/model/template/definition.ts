import type { LabelRule } from './labels/definition'

/** One turn as templates see it: its words, and how many pictures stand before them. */
export interface TemplateMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly text: string
  readonly images: number
}

/** A chat template of the original projects, for checkpoints that bring none; one file each. */
export interface ChatTemplate {
  /** The field's name for it (`--version` and `conv_mode` in LLaVA and Cambrian). */
  readonly name: string
  /** The prompt up to where the assistant speaks, one `<image>` a picture. */
  render(messages: readonly TemplateMessage[]): string
  /** Text that ends a reply beside the end tokens. */
  readonly stop: readonly string[]
  /** What is learned of a finished conversation, where a project says so. */
  readonly labels?: LabelRule
}

export const IMAGE_PLACEHOLDER = '<image>'

/** A user's words with the placeholders of its pictures in front, each on a line of its own. */
export const withImages = ({ text, images }: TemplateMessage) =>
  `${`${IMAGE_PLACEHOLDER}\n`.repeat(images)}${text}`

/** The conversation's own system message, or the template's; and the turns without it. */
export function splitSystem(
  messages: readonly TemplateMessage[],
  fallback: string,
): { system: string; turns: readonly TemplateMessage[] } {
  const first = messages[0]
  return {
    system: first?.role === 'system' ? first.text : fallback,
    turns: messages.filter(({ role }) => role !== 'system'),
  }
}
