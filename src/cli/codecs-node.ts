import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { CodecLoader } from '../model/image/codecs'

const FILES = {
  jpeg: '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm',
  png: '@jsquash/png/codec/pkg/squoosh_png_bg.wasm',
  webp: '@jsquash/webp/codec/dec/webp_dec.wasm',
}

const require = createRequire(import.meta.url)

/** Reads a codec from the installed packages. */
export const nodeCodecLoader: CodecLoader = async (name) =>
  WebAssembly.compile(await readFile(require.resolve(FILES[name])))
