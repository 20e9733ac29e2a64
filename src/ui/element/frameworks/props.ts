import type { HideablePart, ImageSource, ThemeName, TrilobiteChatEventMap, WeightDtype } from '../types'
import type { TrilobiteChat } from '../trilobite-chat'

/**
 * What a template may set on `<trilobite-chat>`: attributes by their own names, which also work before the element is defined
 * and in HTML from a server, and properties for what is no text.
 */
export interface TrilobiteChatProps {
  apiKey?: string
  autoload?: boolean | ''
  'context-length'?: number | string
  dtype?: WeightDtype
  endpoint?: string
  greeting?: string
  /** Between spaces. */
  hide?: HideablePart | (string & {})
  'hub-endpoint'?: string
  /** Addresses between spaces, or a list of addresses and files. */
  images?: string | readonly ImageSource[]
  language?: string
  model?: string
  'models-url'?: string
  readonly?: boolean | ''
  'system-prompt'?: string
  theme?: ThemeName
  texts?: TrilobiteChat['texts']
  token?: string
}

/** Listeners by the names that React and Svelte give them, such as `ontrilobite-answer`. */
export type TrilobiteChatListeners = {
  [Type in keyof TrilobiteChatEventMap as `on${Type}`]?: (event: TrilobiteChatEventMap[Type]) => void
}
