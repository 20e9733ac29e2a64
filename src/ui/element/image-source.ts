import { openPicture, type Picture } from '../chat/pictures'
import { nameAndMessage } from '../text/explain'
import type { Messages } from '../text/messages'
import { TrilobiteChatError, type ImageSource } from './types'

/**
 * Reads a picture that a page names or gives; one without a name becomes number `number`.
 *
 * Throws: TrilobiteChatError (NetworkError, ImageError).
 */
export async function openSource(
  source: ImageSource,
  number: number,
  { pictures: wording }: Messages,
): Promise<Picture> {
  const { blob, name } = source instanceof Blob ? named(source) : await fetched(source)
  try {
    return await openPicture(blob, name || wording.pasted(number), wording)
  } catch (error) {
    throw new TrilobiteChatError('ImageError', nameAndMessage(error).message)
  }
}

const named = (blob: Blob) => ({ blob, name: blob instanceof File ? blob.name : '' })

async function fetched(address: string | URL): Promise<{ blob: Blob; name: string }> {
  const failed = (reason: string) =>
    new TrilobiteChatError(
      'NetworkError',
      `image ${String(address).slice(0, 200)}: expected a picture, but ${reason}. Its host must allow this page to ` +
        'read it (CORS).',
    )
  let response: Response
  let url: URL
  try {
    url = new URL(address, document.baseURI)
    response = await fetch(url)
  } catch (cause) {
    throw failed(nameAndMessage(cause).message)
  }
  if (!response.ok) throw failed(`status ${response.status} came`)
  return { blob: await response.blob(), name: fileName(url) }
}

/** The last part of an address's path, where that is a name. */
function fileName({ protocol, pathname }: URL): string {
  if (!/^https?:$/.test(protocol)) return ''
  const last = pathname.split('/').at(-1) ?? ''
  try {
    return decodeURIComponent(last)
  } catch {
    return last
  }
}
