import { setHome, TrilobiteChat } from './trilobite-chat'

export { TrilobiteChat }
export * from './types'

setHome(import.meta.url)

// A page may hold this module twice, and a server has no elements.
if ('customElements' in globalThis && !customElements.get('trilobite-chat'))
  customElements.define('trilobite-chat', TrilobiteChat)

declare global {
  interface HTMLElementTagNameMap {
    'trilobite-chat': TrilobiteChat
  }
  interface HTMLElementEventMap {
    'trilobite-progress': import('./types').TrilobiteChatEventMap['trilobite-progress']
    'trilobite-ready': import('./types').TrilobiteChatEventMap['trilobite-ready']
    'trilobite-token': import('./types').TrilobiteChatEventMap['trilobite-token']
    'trilobite-answer': import('./types').TrilobiteChatEventMap['trilobite-answer']
    'trilobite-error': import('./types').TrilobiteChatEventMap['trilobite-error']
  }
}
