import type { Session } from '../state/session.svelte'

/** The keys of a chat, for wherever they are heard: the whole page, or an element that has the focus. */
export function chatKeys(session: Session, event: KeyboardEvent): void {
  const act = actOf(session, event)
  if (!act) return
  event.preventDefault()
  act()
}

function actOf(session: Session, event: KeyboardEvent): (() => void) | undefined {
  if (event.isComposing || event.defaultPrevented) return undefined
  const { key, shiftKey } = event
  const command = event.ctrlKey || event.metaKey
  const isOverlaid = session.enlarged !== undefined || session.areSettingsOpen
  const isTyping = (event.target as Element).closest('input, textarea, select') !== null

  if (command && shiftKey && key.toLowerCase() === 'o' && session.parts.composer)
    return () => void session.newChat()
  if (command && key === ',' && session.parts.settings) return () => (session.areSettingsOpen = true)
  if (key === 'Escape' && session.chat.running && !isOverlaid) return () => void session.chat.stop()
  if (key === '/' && !command && !isTyping && !isOverlaid && session.screen === 'chat')
    return () => session.focusComposer()
  return undefined
}
