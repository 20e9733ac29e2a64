import type { Attachment } from 'svelte/attachments'

/**
 * Shows a dialog modally for as long as it is mounted. `onClose` is told when it closes: by Escape, by a click beside it,
 * by its own `close`, or because its place is no longer shown.
 *
 * The browser keeps the focus inside and gives it back on closing; a dialog that is unmounted leaves it where it is.
 */
export function modal(onClose: () => void): Attachment<HTMLDialogElement> {
  return (dialog) => {
    // Its place may have left the document just after someone opened it.
    if (!dialog.isConnected) {
      onClose()
      return
    }
    dialog.showModal()

    const onclick = ({ target }: MouseEvent) => {
      if (target === dialog) dialog.close()
    }
    // A modal dialog that nobody sees would still make the page inert.
    const observer = new ResizeObserver(() => {
      if (dialog.getClientRects().length === 0) dialog.close()
    })
    dialog.addEventListener('close', onClose)
    dialog.addEventListener('click', onclick)
    observer.observe(dialog)
    return () => {
      dialog.removeEventListener('close', onClose)
      dialog.removeEventListener('click', onclick)
      observer.disconnect()
    }
  }
}
