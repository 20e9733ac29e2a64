import type { HTMLAttributes } from 'svelte/elements'
import type { TrilobiteChat } from '../trilobite-chat'
import type { TrilobiteChatListeners, TrilobiteChatProps } from './props'

export type { TrilobiteChatListeners, TrilobiteChatProps } from './props'

/** `<trilobite-chat>` in Svelte's markup. */
export type TrilobiteChatAttributes = Omit<HTMLAttributes<TrilobiteChat>, keyof TrilobiteChatProps> &
  TrilobiteChatProps &
  TrilobiteChatListeners

declare module 'svelte/elements' {
  interface SvelteHTMLElements {
    'trilobite-chat': TrilobiteChatAttributes
  }
}
