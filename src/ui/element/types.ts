import type { Messages } from '../text/messages'
import type { DeepPartial } from '../text/messages/overrides'
import type { FinishReason, LoadProgress, ModelInfo, Reply } from '../../worker/api'

export type { FinishReason, LoadProgress, ModelInfo, Reply, WeightDtype } from '../../worker/api'

/** A picture as a page has it: its address, or its bytes. */
export type ImageSource = string | URL | Blob

/** Parts of the element that `hide` can name. */
export type HideablePart = 'picker' | 'settings' | 'upload'

export type ThemeName = 'auto' | 'light' | 'dark'

/** Words in place of the element's own, by their names in its catalogue. */
export type Texts = DeepPartial<Messages>

/**
 * What the element is doing.
 *
 * idle: nothing is loaded, nothing was asked for. probing: the GPU is being tested. unfit: this browser or GPU cannot serve.
 * recovering: the GPU was lost, and the model is being brought back; a running answer then goes on.
 * lost: the GPU was lost for good; `load` brings the model back.
 */
export type ChatStatus =
  'idle' | 'probing' | 'unfit' | 'loading' | 'ready' | 'answering' | 'recovering' | 'lost'

/** One message of the conversation. */
export interface ConversationMessage {
  readonly role: 'user' | 'assistant'
  readonly text: string
  /** Of a question. */
  readonly images: readonly Blob[]
}

export interface AskOptions {
  /** Pictures for this question, besides those that wait in the composer. */
  readonly images?: readonly ImageSource[]
}

export interface TokenDetail {
  /** Tells answers apart. */
  readonly id: string
  /** What is new. */
  readonly text: string
  readonly index: number
}

export interface AnswerDetail {
  readonly id: string
  readonly text: string
  readonly finish: FinishReason
  /** The engine's reply with token ids and timings. */
  readonly reply: Reply
}

export interface ErrorDetail {
  /** The kind: a class of the engine's errors, or `AttributeError` for a value the element does not know. */
  readonly name: string
  /** What was expected, what came, what to do; for developers. */
  readonly message: string
  /** The same for visitors, in the element's language, where there is a sentence for it. */
  readonly title?: string
  readonly advice?: string
  /** Of an AttributeError: the attribute, and the values it may have. */
  readonly attribute?: string
  readonly allowed?: readonly string[]
}

/** The element's events; all bubble and cross shadow roots. */
export interface TrilobiteChatEventMap {
  /** The model is being loaded. */
  'trilobite-progress': CustomEvent<LoadProgress>
  /** A model is loaded and answers. */
  'trilobite-ready': CustomEvent<ModelInfo>
  /** A piece of an answer. */
  'trilobite-token': CustomEvent<TokenDetail>
  /** An answer is complete, or was stopped. */
  'trilobite-answer': CustomEvent<AnswerDetail>
  /** Something failed; the element shows it too, where it concerns the visitor. */
  'trilobite-error': CustomEvent<ErrorDetail>
}

/** An error of the element's methods: `name` tells the kind, as in ErrorDetail. */
export class TrilobiteChatError extends Error {
  constructor(
    override readonly name: string,
    message: string,
  ) {
    super(message)
  }
}
