import jpegUrl from '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm?url'
import pngUrl from '@jsquash/png/codec/pkg/squoosh_png_bg.wasm?url'
import webpUrl from '@jsquash/webp/codec/dec/webp_dec.wasm?url'
import { NetworkError } from '../errors'
import type { CodecLoader } from './codecs'

const URLS = { jpeg: jpegUrl, png: pngUrl, webp: webpUrl }

/**
 * Fetches a codec from where the bundler put it, next to the page.
 *
 * Throws: NetworkError when the file cannot be fetched.
 */
export const webCodecLoader: CodecLoader = async (name) => {
  const response = await fetch(URLS[name]).catch((error: unknown) => {
    throw new NetworkError(
      `load ${name} codec: expected ${URLS[name]}, got ${String(error)}. Reload the page.`,
    )
  })
  if (!response.ok) {
    throw new NetworkError(
      `load ${name} codec: expected ${URLS[name]}, got status ${response.status}. Reload the page.`,
    )
  }
  // Not compileStreaming: it insists on a media type that simple static servers do not send.
  return WebAssembly.compile(await response.arrayBuffer())
}
