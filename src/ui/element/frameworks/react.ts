import type { DetailedHTMLProps, HTMLAttributes } from 'react'
import type { TrilobiteChat } from '../trilobite-chat'
import type { TrilobiteChatListeners, TrilobiteChatProps } from './props'

export type { TrilobiteChatListeners, TrilobiteChatProps } from './props'

/** `<trilobite-chat>` in JSX. */
export type TrilobiteChatElementProps = DetailedHTMLProps<HTMLAttributes<TrilobiteChat>, TrilobiteChat> &
  TrilobiteChatProps &
  TrilobiteChatListeners

declare module 'react' {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- React's own
  namespace JSX {
    interface IntrinsicElements {
      'trilobite-chat': TrilobiteChatElementProps
    }
  }
}
