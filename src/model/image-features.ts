import { createTensor, Encoder, uploadTensor, type Tensor } from '../kernels'
import { decodeImage } from './image/decode'
import type { Codecs } from './image/codecs'
import { preprocess, type PixelValues } from './image/preprocess'
import type { ImageProcessor } from './image/processor'
import { abortable } from './checkpoint/retry'
import { AbortError, ConfigError } from './errors'
import type { PromptImage } from './prompt'
import type { Vlm } from './vlm'

/** GPU bytes of features kept for pictures of earlier turns and chats. */
const KEPT_BYTES = 256 * 2 ** 20

/** A picture's rows in the language model's space, computed once for each picture. */
export class ImageFeatures {
  /** Least recently used first. */
  private readonly kept = new Map<string, Tensor>()

  constructor(
    private readonly vlm: Vlm,
    private readonly processor: ImageProcessor,
    private readonly codecs: Codecs,
  ) {}

  has(key: string): boolean {
    return this.kept.has(key)
  }

  /**
   * Encodes a picture, or finds it.
   *
   * Throws: ImageError for files that are no picture.
   */
  async encode(key: string, bytes: () => Promise<Uint8Array>, signal: AbortSignal): Promise<PromptImage> {
    const found = this.kept.get(key)
    if (found) {
      this.kept.delete(key)
      this.kept.set(key, found)
      return { key, features: found }
    }
    const values = await this.pixels(await bytes())
    if (signal.aborted) throw new AbortError('ask: stopped by the reader.')
    const { gpu, arena } = this.vlm
    const enc = new Encoder(gpu, arena, 'encode image')
    const pixels = this.uploadPixels(values)
    try {
      const rows = this.vlm.connect(enc, this.vlm.visionFeatures(enc, pixels))
      const features = createTensor(gpu, `image ${key}`, rows.shape)
      enc.copy(rows, features)
      enc.end()
      this.kept.set(key, features)
      try {
        // Stopped here, the picture is finished all the same: the GPU has its commands, and the next question finds it.
        await abortable(gpu.finish(), signal)
      } catch (error) {
        if (!(error instanceof AbortError)) this.forget(key)
        throw error
      }
      return { key, features }
    } finally {
      enc.end()
      gpu.destroyBuffer(pixels.buffer)
    }
  }

  /** Decodes and preprocesses as the checkpoint's image processor says. */
  async pixels(bytes: Uint8Array): Promise<PixelValues> {
    const values = preprocess(await decodeImage(bytes, this.codecs), this.processor)
    const side = this.vlm.blueprint.vision!.tower.config.imageSize
    if (values.width !== side || values.height !== side) {
      throw new ConfigError(
        `preprocessor_config.json: makes pictures of ${values.width}x${values.height}, but the tower takes ${side}x${side}. ` +
          'The checkpoint is inconsistent; choose another.',
      )
    }
    return values
  }

  /** Shapes: -> [1, 3, H, W]; the caller frees its buffer. */
  uploadPixels({ pixels, height, width }: PixelValues): Tensor {
    return uploadTensor(this.vlm.gpu, 'pixel values', [1, 3, height, width], pixels)
  }

  /** Forgets the pictures used longest ago where too many are kept, but none of `needed`. */
  trim(needed: ReadonlySet<string>): void {
    let bytes = 0
    for (const tensor of this.kept.values()) bytes += tensor.buffer.size
    for (const [key, tensor] of this.kept) {
      if (bytes <= KEPT_BYTES) break
      if (needed.has(key)) continue
      bytes -= tensor.buffer.size
      this.forget(key)
    }
  }

  private forget(key: string): void {
    const tensor = this.kept.get(key)
    if (tensor) this.vlm.gpu.destroyBuffer(tensor.buffer)
    this.kept.delete(key)
  }

  destroy(): void {
    for (const tensor of this.kept.values()) this.vlm.gpu.destroyBuffer(tensor.buffer)
    this.kept.clear()
  }
}
