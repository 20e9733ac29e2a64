import jpegUrl from '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm?url'
import pngUrl from '@jsquash/png/codec/pkg/squoosh_png_bg.wasm?url'
import webpUrl from '@jsquash/webp/codec/dec/webp_dec.wasm?url'
import { NetworkError } from '../errors'
import type { CodecLoader } from './codecs'

const URLS = { jpeg: jpegUrl, png: pngUrl, webp: webpUrl }

const DATA_URL = /^data:[^,]*;base64,/

/**
 * Fetches a codec from where the bundler put it: next to the page, or as a data: URL in this very module, which is
 * decoded here because a page's Content-Security-Policy may forbid to fetch one.
 *
 * Throws: NetworkError when the file cannot be fetched.
 */
export const webCodecLoader: CodecLoader = async (name) => {
  const url = URLS[name]
  const [prefix] = DATA_URL.exec(url) ?? []
  if (prefix !== undefined) {
    return WebAssembly.compile(Uint8Array.from(atob(url.slice(prefix.length)), (char) => char.charCodeAt(0)))
  }
  const response = await fetch(url).catch((error: unknown) => {
    throw new NetworkError(`load ${name} codec: expected ${url}, got ${String(error)}. Reload the page.`)
  })
  if (!response.ok) {
    throw new NetworkError(
      `load ${name} codec: expected ${url}, got status ${response.status}. Reload the page.`,
    )
  }
  // Not compileStreaming: it insists on a media type that simple static servers do not send.
  return WebAssembly.compile(await response.arrayBuffer())
}
