import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Page } from '@playwright/test'

/** Uploads of pictures, whole and damaged, by what is wrong with them. */
export const damaged = {
  text: {
    name: 'notes.png',
    mimeType: 'image/png',
    buffer: Buffer.from('Dear diary, this is no picture.'),
  },
  svg: {
    name: 'drawing.svg',
    mimeType: 'image/svg+xml',
    buffer: Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg"><image href="https://example.com/x.png"/></svg>',
    ),
  },
  empty: { name: 'empty.png', mimeType: 'image/png', buffer: Buffer.alloc(0) },
}

/** A picture's file with a note after its end: the same pixels, but no bytes the page has met. */
export function unmet(path: string, note: string) {
  return {
    name: basename(path),
    mimeType: '',
    buffer: Buffer.concat([readFileSync(path), Buffer.from(note)]),
  }
}

/** The first part of a picture's file, as a broken download leaves it. */
export function truncated(path: string, share: number) {
  const whole = readFileSync(path)
  return {
    name: 'half.png',
    mimeType: 'image/png',
    buffer: whole.subarray(0, Math.floor(whole.length * share)),
  }
}

/** Brings a file to the page as a drop or a paste would. */
export async function bring(page: Page, how: 'drop' | 'paste', path: string, type: string): Promise<void> {
  const bytes = readFileSync(path).toString('base64')
  await page.evaluate(
    async ({ how, bytes, type }) => {
      const raw = Uint8Array.from(atob(bytes), (char) => char.charCodeAt(0))
      const data = new DataTransfer()
      data.items.add(new File([raw], 'image.png', { type }))
      const options = { bubbles: true, cancelable: true }
      if (how === 'paste') {
        document.activeElement!.dispatchEvent(
          new ClipboardEvent('paste', { ...options, clipboardData: data }),
        )
        return
      }
      for (const kind of ['dragenter', 'dragover', 'drop'])
        document.body.dispatchEvent(new DragEvent(kind, { ...options, dataTransfer: data }))
    },
    { how, bytes, type },
  )
}
