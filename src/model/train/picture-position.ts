import type { ChatModel } from '../chat-model'
import { IMAGE_TOKEN_INDEX } from '../template/chunk-tokens'
import type { Recipe, Utterance } from './definition'

const CONVERSATION: readonly Utterance[] = [
  { from: 'human', value: '<image>\nWhat is this?' },
  { from: 'gpt', value: 'A trilobite.' },
]

/**
 * What a reader should know where a recipe's template puts pictures elsewhere than the original project's code takes them to
 * stand; undefined where it does not.
 *
 * Throws: TemplateError as Tokenizer.supervise.
 */
export function positionNote(
  { opened, tokenizer }: Pick<ChatModel, 'opened' | 'tokenizer'>,
  recipe: Recipe,
): string | undefined {
  const { vision } = opened.blueprint
  const expected = vision?.imagePosition
  if (expected === undefined) return undefined
  const { ids } = tokenizer.supervise(CONVERSATION, recipe)
  const position = ids.indexOf(vision?.imageTokenId ?? IMAGE_TOKEN_INDEX)
  if (position === expected) return undefined
  const { template } = recipe
  const named = template === 'model' ? (tokenizer.templateName ?? "the checkpoint's own") : template
  return (
    `config.json: image_position is ${expected}, but under the template ${named} pictures stand at ${position}. They are ` +
    'refined where they stand; the original code would refine other positions. Train with the template that the model ' +
    'was trained with (on the command line: --template).'
  )
}
