// What an element meets in other people's pages.

/** The language of the text around an element, across shadow roots. */
export function nearestLang(element: Element): string {
  const found = element.closest<HTMLElement>('[lang]')
  if (found) return found.lang
  const root = element.getRootNode()
  return root instanceof ShadowRoot ? nearestLang(root.host) : ''
}

/** Keys that page-wide handlers need wherever they are pressed: to close a dialog, to keep the focus in it, to reload. */
const OF_THE_PAGE = /^(?:Escape|Tab|F\d+)$/

/** Keeps what is typed into a field of the element from the page; `root` is the element's own. */
export function stopTyping(event: KeyboardEvent, root: ShadowRoot): void {
  const [target] = event.composedPath()
  if (!(target instanceof Element) || !root.contains(target) || !target.matches('input, textarea, select'))
    return
  const { key, ctrlKey, metaKey, defaultPrevented } = event
  if (!defaultPrevented && (OF_THE_PAGE.test(key) || ctrlKey || metaKey)) return
  event.stopPropagation()
}

/** Whether a flag's attribute is there, and does not say otherwise. */
export const isOn = (value: string | null): boolean => value !== null && value !== 'false'

/** Frameworks may write a boolean as text. */
export const isTrue = (value: unknown): boolean => Boolean(value) && value !== 'false'
