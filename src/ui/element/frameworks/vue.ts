import type { EmitFn, HTMLAttributes, PublicProps } from 'vue'
import type { TrilobiteChat } from '../trilobite-chat'
import type { TrilobiteChatEventMap } from '../types'
import type { TrilobiteChatProps } from './props'

export type { TrilobiteChatProps } from './props'

type Events = { [Type in keyof TrilobiteChatEventMap]: (event: TrilobiteChatEventMap[Type]) => void }

/** `<trilobite-chat>` in Vue's templates. */
export type TrilobiteChatComponent = new () => TrilobiteChat & {
  $props: HTMLAttributes & TrilobiteChatProps & PublicProps
  $emit: EmitFn<Events>
}

declare module 'vue' {
  interface GlobalComponents {
    'trilobite-chat': TrilobiteChatComponent
  }
}
