import type { Recipe, Supervised, Utterance } from '../../train/definition'
import type { TemplateMessage } from '../definition'

/** A finished conversation and what is learned of it. */
export interface SupervisedConversation extends Supervised {
  /** Why nothing is learned, for a row that the original project gives up on too. */
  readonly masked?: string
}

/** What label rules need of a tokenizer. */
export interface TrainingTokenizer {
  /** Ids with the tokenizer's own special tokens, one placeholder a picture, as the projects' tokenizer_image_token. */
  encode(text: string): number[]
  /** The same, but no chunk between pictures loses its first id. */
  encodeWhole(text: string): number[]
  /** Ids of words alone: `<image>` means nothing in them unless the tokenizer itself knows it. */
  encodeText(text: string): number[]
  /** Ids of words alone, without special tokens around them. */
  encodeBare(text: string): number[]
  readonly eosTokenId: number | undefined
  /** What the projects fill batches with, and do not count: the unknown token, else the padding token. */
  readonly paddingTokenId: number | undefined
  /** The slow tokenizers' flag of this name. */
  readonly legacy: boolean
  /** What stands for a picture among words: `<image>`, with the project's marks around it. */
  readonly imageMark: string
}

export type LabelOptions = Pick<Recipe, 'captionEnd'>

/** How a project teaches a template; one file each. */
export interface LabelRule {
  /** Throws: TemplateError where the tokenizer lacks what the rule needs. */
  supervise(
    conversation: readonly Utterance[],
    tokenizer: TrainingTokenizer,
    options: LabelOptions,
  ): SupervisedConversation
  /** Ids up to where the first reply begins. */
  prompt(conversation: readonly Utterance[], tokenizer: TrainingTokenizer): number[]
}

/** What a template tells its rule about its text. */
export interface TemplateText {
  readonly system: string
  /** Names or marks of the two speakers. */
  readonly user: string
  readonly assistant: string
  /** What stands between a question and its reply. */
  readonly replyStart: string
  /** What ends a reply. */
  readonly end: string
  /** A conversation with nothing behind it. */
  transcript(messages: readonly TemplateMessage[]): string
  /** A conversation up to where the assistant speaks. */
  opening(messages: readonly TemplateMessage[]): string
}

export type LabelRuleMaker = (text: TemplateText) => LabelRule
