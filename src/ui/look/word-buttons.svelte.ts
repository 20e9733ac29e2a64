import type { Attachment } from 'svelte/attachments'
import type { Look } from './look.svelte'
import { alignWords, segmentWords } from './words'

/** Where words cannot become buttons: in what is a control itself, and in what is not the reply's own. */
const APART = 'a, button, .withheld, figcaption'

/**
 * Makes the words of a shown answer buttons that choose what `look` shows, and plain text again when it goes.
 *
 * One word takes part in the tab order; arrow keys, Home and End go from word to word and choose them.
 */
export function wordButtons(look: Look): Attachment<HTMLElement> {
  return (container) => {
    const { buttons, restore } = wrapWords(container, look)
    const mark = (chosen: number) => {
      let current = buttons.findIndex(({ word }) => word === chosen)
      if (current < 0) current = 0
      buttons.forEach(({ element, word }, at) => {
        element.setAttribute('aria-pressed', String(word === chosen))
        element.tabIndex = at === current ? 0 : -1
      })
    }
    const at = (target: EventTarget | null) => buttons.findIndex(({ element }) => element === target)
    const go = (to: number) => {
      const button = buttons[to]
      if (!button) return
      look.choose(button.word)
      button.element.focus()
    }
    const onclick = ({ target }: MouseEvent) => go(at(target))
    const onkeydown = (event: KeyboardEvent) => {
      const from = at(event.target)
      if (from < 0 || event.ctrlKey || event.metaKey || event.altKey) return
      const to = destination(event.key, from, buttons)
      if (to === undefined) return
      event.preventDefault()
      event.stopPropagation()
      go(to)
    }
    container.addEventListener('click', onclick)
    container.addEventListener('keydown', onkeydown)
    $effect(() => mark(look.chosen))
    return () => {
      container.removeEventListener('click', onclick)
      container.removeEventListener('keydown', onkeydown)
      restore()
    }
  }
}

interface WordButton {
  element: HTMLElement
  /** Among the reply's words. */
  word: number
}

function destination(key: string, from: number, buttons: readonly WordButton[]): number | undefined {
  switch (key) {
    case 'Enter':
    case ' ':
      return from
    case 'ArrowRight':
      return Math.min(from + 1, buttons.length - 1)
    case 'ArrowLeft':
      return Math.max(from - 1, 0)
    case 'Home':
      return 0
    case 'End':
      return buttons.length - 1
    case 'ArrowDown':
      return onNextLine(buttons, from, 1)
    case 'ArrowUp':
      return onNextLine(buttons, from, -1)
  }
  return undefined
}

/** The nearest word on the line below or above; the same word where there is none. */
function onNextLine(buttons: readonly WordButton[], from: number, step: 1 | -1): number {
  const box = (at: number) => buttons[at]!.element.getBoundingClientRect()
  const own = box(from)
  const isOff = (at: number) => (step > 0 ? box(at).top >= own.bottom - 2 : box(at).bottom <= own.top + 2)
  let best = from
  let line: DOMRect | undefined
  for (let at = from + step; buttons[at]; at += step) {
    if (!isOff(at)) continue
    line ??= box(at)
    if (Math.abs(box(at).top - line.top) > line.height / 2) break
    const distance = (of: number) => Math.abs(box(of).left - own.left)
    if (best === from || distance(at) < distance(best)) best = at
  }
  return best
}

function wrapWords(container: HTMLElement, { words }: Look) {
  const texts: Text[] = []
  const walker = document.createTreeWalker(container, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const text = walker.currentNode as Text
    if (!text.parentElement?.closest(APART)) texts.push(text)
  }
  const found = texts.map((text) => segmentWords(text.data))
  const aligned = alignWords(
    found.flatMap((segments) => segments.map(({ text }) => text)),
    words,
  )
  const buttons: WordButton[] = []
  const undo: (() => void)[] = []
  let next = 0
  texts.forEach((text, i) => {
    const pieces: (string | HTMLElement)[] = []
    let end = 0
    for (const { text: word, start } of found[i]!) {
      const which = aligned[next++]
      if (which === undefined) continue
      const element = document.createElement('span')
      element.textContent = word
      element.className = 'look-word'
      element.setAttribute('role', 'button')
      pieces.push(text.data.slice(end, start), element)
      buttons.push({ element, word: which })
      end = start + word.length
    }
    if (!end) return
    const nodes = [...pieces, text.data.slice(end)].map((piece) =>
      typeof piece === 'string' ? document.createTextNode(piece) : piece,
    )
    text.replaceWith(...nodes)
    undo.push(() => {
      nodes[0]!.replaceWith(text)
      for (const node of nodes.slice(1)) node.remove()
    })
  })
  return { buttons, restore: () => undo.forEach((put) => put()) }
}
