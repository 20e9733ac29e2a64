/**
 * The WebAssembly picture codecs, loaded when first needed. Compiled code comes from the host, because this folder
 * knows neither a file system nor a bundler.
 */
import { damaged, type ImageFormat } from './format'

export type CodecName = Exclude<ImageFormat, 'gif'>

/** Gives the compiled decoder of a format. Called at most once a format unless it rejects. */
export type CodecLoader = (name: CodecName) => Promise<WebAssembly.Module>

/** Pixels as a codec gives them. Shapes: data [height, width, 4], alpha not multiplied in. */
export interface RgbaPixels {
  readonly width: number
  readonly height: number
  readonly data: Uint8Array
}

export interface Codecs {
  /** 8 bits a channel; deeper channels keep their upper byte. */
  decodePng(bytes: Uint8Array): Promise<RgbaPixels>
  /** 16 bits a channel. Shapes: data [height, width, 4]. */
  decodePng16(bytes: Uint8Array): Promise<{ width: number; height: number; data: Uint16Array }>
  /** As stored: orientation is not applied. */
  decodeJpeg(bytes: Uint8Array): Promise<RgbaPixels>
  decodeWebp(bytes: Uint8Array): Promise<RgbaPixels>
}

/**
 * Decoders for PNG, JPEG and WebP over compiled modules that `load` provides.
 *
 * Throws: each decoder throws ImageError for bytes it cannot make sense of.
 */
export function createCodecs(load: CodecLoader): Codecs {
  const modules = new Map<CodecName, Promise<WebAssembly.Module>>()
  const moduleOf = (name: CodecName): Promise<WebAssembly.Module> => {
    let found = modules.get(name)
    if (!found) {
      found = load(name)
      modules.set(name, found)
      // A failed load (a network hiccup) may be tried again.
      found.catch(() => modules.delete(name))
    }
    return found
  }

  return {
    async decodePng(bytes) {
      const png = await openPng(await moduleOf('png'))
      const decoded = attempt('png', () => png.decode(bytes))
      return asPixels(decoded)
    },

    async decodePng16(bytes) {
      const png = await openPng(await moduleOf('png'))
      const decoded = attempt('png', () => png.decode_rgba16(bytes))
      const { width, height } = decoded
      const data = decoded.data.slice() // a view of the codec's memory, gone with free()
      decoded.free()
      return { width, height, data }
    },

    async decodeJpeg(bytes) {
      const messages: string[] = []
      const { default: factory } = await import('@jsquash/jpeg/codec/dec/mozjpeg_dec.js')
      const jpeg = await instantiate(factory as EmscriptenFactory, await moduleOf('jpeg'), (line) =>
        messages.push(line),
      )
      return asPixels(attempt('jpeg', () => jpeg.decode(bytes, false), messages))
    },

    async decodeWebp(bytes) {
      const { default: factory } = await import('@jsquash/webp/codec/dec/webp_dec.js')
      const webp = await instantiate(factory as EmscriptenFactory, await moduleOf('webp'), () => {})
      return asPixels(attempt('webp', () => webp.decode(bytes)))
    },
  }
}

interface Decoded {
  width: number
  height: number
  data: Uint8ClampedArray
}

interface PngCodec {
  decode(bytes: Uint8Array): Decoded
  decode_rgba16(bytes: Uint8Array): { width: number; height: number; data: Uint16Array; free(): void }
}

/** The PNG codec is one instance for good: its glue keeps it in a module variable. */
async function openPng(module: WebAssembly.Module): Promise<PngCodec> {
  const glue = await import('@jsquash/png/codec/pkg/squoosh_png.js')
  glue.initSync(module)
  return glue as unknown as PngCodec
}

interface EmscriptenCodec {
  decode(bytes: Uint8Array, preserveOrientation?: boolean): Decoded | null
}

type EmscriptenFactory = (options: object) => Promise<EmscriptenCodec>

/**
 * A fresh instance for each picture (1.5 ms, measured in Node 20 on one Xeon core): libjpeg ends its whole
 * instance on an error, and memory grown for a large picture goes back.
 */
function instantiate(
  factory: EmscriptenFactory,
  module: WebAssembly.Module,
  onLine: (line: string) => void,
): Promise<EmscriptenCodec> {
  return factory({
    noInitialRun: true,
    print: onLine,
    printErr: onLine,
    instantiateWasm: (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
      const instance = new WebAssembly.Instance(module, imports)
      done(instance)
      return instance.exports
    },
  })
}

function attempt<T>(format: CodecName, decode: () => T | null, messages: string[] = []): T {
  let decoded: T | null
  try {
    decoded = decode()
  } catch (error) {
    throw damaged(format, messages.at(-1) ?? (error instanceof Error ? error.message : String(error)))
  }
  if (!decoded) throw damaged(format, 'the decoder gave up')
  return decoded
}

function asPixels({ width, height, data }: Decoded): RgbaPixels {
  return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }
}
