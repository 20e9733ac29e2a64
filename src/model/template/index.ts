import { TemplateError } from '../errors'
import type { ChatTemplate } from './definition'
import { plain } from './plain'
import { vicunaV1 } from './vicuna-v1'

/** Chat templates by the field's names. */
export const chatTemplates = {
  plain,
  vicuna_v1: vicunaV1,
} satisfies Record<string, ChatTemplate>

/** Throws: TemplateError naming the known ones. */
export function findTemplate(name: string): ChatTemplate {
  const found = Object.hasOwn(chatTemplates, name) ? chatTemplates[name as keyof typeof chatTemplates] : undefined
  if (!found) {
    throw new TemplateError(`chat template: "${name}" is not known; known are ${Object.keys(chatTemplates).join(', ')}.`)
  }
  return found
}
