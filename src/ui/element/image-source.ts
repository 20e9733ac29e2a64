import { nameAndMessage } from '../text/explain'
import { TrilobiteChatError, type ImageSource } from './types'

/**
 * A picture as a file; one without a name gets `unnamed`.
 *
 * Throws: TrilobiteChatError, where its address cannot be read.
 */
export async function fileOf(source: ImageSource, unnamed: string): Promise<File> {
  if (source instanceof File) return source
  if (source instanceof Blob) return new File([source], unnamed, { type: source.type })
  const url = new URL(source, document.baseURI)
  const failed = (reason: string) =>
    new TrilobiteChatError(
      'NetworkError',
      `image ${url.href}: expected a picture, but ${reason}. Its host must allow this page to read it (CORS).`,
    )
  const response = await fetch(url).catch((cause: unknown) => {
    throw failed(nameAndMessage(cause).message)
  })
  if (!response.ok) throw failed(`status ${response.status} came`)
  const blob = await response.blob()
  const name = decodeURIComponent(url.pathname.split('/').at(-1) ?? '')
  return new File([blob], name || unnamed, { type: blob.type })
}
