import { en, type Messages } from '../text/messages/en'

/** A picture in a chat. `url` is an object URL that lives as long as the page. */
export interface Picture {
  /** SHA-256 of the bytes: the engine encodes a picture once for each id. */
  id: string
  name: string
  blob: Blob
  url: string
  width: number
  height: number
}

export const PICTURE_TYPES = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'] as const
const MAX_BYTES = 50e6

type Wording = Messages['pictures']

/** A file that is not a picture the page can take; its message is a sentence for the visitor. */
export class PictureError extends Error {
  override readonly name = 'PictureError'
}

/** The type a file's first bytes tell, whatever it calls itself. */
export function sniffPicture(head: Uint8Array): (typeof PICTURE_TYPES)[number] | undefined {
  const ascii = String.fromCharCode(...head.subarray(0, 12))
  if (ascii.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (ascii.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (ascii.startsWith('RIFF') && ascii.slice(8, 12) === 'WEBP') return 'image/webp'
  if (ascii.startsWith('GIF87a') || ascii.startsWith('GIF89a')) return 'image/gif'
  return undefined
}

/**
 * Reads a file as a picture: checks its type by its bytes and that the browser can decode it.
 *
 * Throws: PictureError.
 */
export async function openPicture(
  blob: Blob,
  name: string,
  wording: Wording = en.pictures,
): Promise<Picture> {
  if (blob.size === 0) throw new PictureError(wording.empty(name))
  if (blob.size > MAX_BYTES) throw new PictureError(wording.tooLarge(name))

  const bytes = await blob.arrayBuffer()
  const type = sniffPicture(new Uint8Array(bytes, 0, Math.min(12, bytes.byteLength)))
  if (!type) throw new PictureError(wording.noPicture(name))

  // A copy in memory: a picked file may change or vanish on disk while the chat lasts.
  const copy = new Blob([bytes], { type })
  let width: number, height: number
  try {
    const bitmap = await createImageBitmap(copy)
    ;({ width, height } = bitmap)
    bitmap.close()
  } catch {
    throw new PictureError(wording.undecodable(name))
  }
  const id = await sha256(bytes)
  return { id, name, blob: copy, url: URL.createObjectURL(copy), width, height }
}

/** A hash in hexadecimal digits. */
export async function sha256(bytes: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Files among what was pasted or dropped. */
export function filesOf(data: DataTransfer | null): File[] {
  return [...(data?.files ?? [])]
}

/** A name for a pasted picture, which has none worth showing. */
export function pictureName(file: File, index: number, wording: Wording = en.pictures): string {
  return file.name && file.name !== 'image.png' ? file.name : wording.pasted(index + 1)
}
