import { createTensor, Encoder, uploadTensor, type Tensor } from '../kernels'
import type { StreamProgress } from './checkpoint/progress'
import { abortable } from './checkpoint/retry'
import type { PictureSize, SampledPicture } from './connector/definition'
import { AbortError, ConfigError } from './errors'
import type { Codecs } from './image/codecs'
import { decodeImage } from './image/decode'
import type { RgbImage } from './image/image'
import { preprocess, type PixelValues } from './image/preprocess'
import type { ImageProcessor } from './image/processor'
import type { PromptImage } from './prompt'
import { selectFeatures } from './towers'
import type { Vlm } from './vlm'

/** A tower on its way to the GPU for a picture that needs it. */
export type TowerProgress = StreamProgress & { readonly tower: number; readonly towers: number }

interface Encoded {
  readonly features: Tensor
  readonly sampled: SampledPicture | undefined
  readonly size: PictureSize
}

/** A picture's rows in the language model's space, computed once for each picture. */
export class ImageFeatures {
  /** Least recently used first. */
  private readonly kept = new Map<string, Encoded>()

  constructor(
    private readonly vlm: Vlm,
    /** One for each tower. */
    private readonly processors: readonly ImageProcessor[],
    private readonly codecs: Codecs,
    /** GPU bytes that pictures of earlier turns and chats may take. */
    private readonly keptBytes: number,
  ) {}

  has(key: string): boolean {
    return this.kept.has(key)
  }

  /** The size of a picture that was encoded, and what its towers gave where that is kept. */
  known(key: string): Pick<Encoded, 'size' | 'sampled'> | undefined {
    return this.kept.get(key)
  }

  /**
   * Encodes a picture, or finds it.
   *
   * Throws: ImageError for files that are no picture; what loadWeights throws where a tower has to be fetched.
   */
  async encode(
    key: string,
    bytes: () => Promise<Uint8Array>,
    signal: AbortSignal,
    onTower: (progress: TowerProgress) => void = () => {},
  ): Promise<PromptImage> {
    const found = this.kept.get(key)
    if (found) {
      this.kept.delete(key)
      this.kept.set(key, found)
      return { key, ...found }
    }
    const picture = await this.decode(await bytes())
    const { gpu, arena, towers } = this.vlm
    // What is timed by doing it again needs its towers until then: those that do not stay would pile up.
    const stay = towers.blueprints.every((_, tower) => towers.at(tower))
    if (stay || gpu.profiler?.timer) gpu.profiler?.enter('encode')
    const maps: Tensor[] = []
    // Towers have no use for buffers of the language model's sizes, nor for each other's.
    arena.trim()
    try {
      for (let tower = 0; tower < towers.count; tower++) {
        if (signal.aborted) throw new AbortError('ask: stopped by the reader.')
        const values = this.pixels(picture, tower)
        maps.push(await this.runTower(tower, values, `image ${key} map ${tower}`, signal, onTower))
        if (towers.count > 1) {
          await abortable(gpu.finish(), signal)
          arena.trim()
        }
      }
      const encoded = this.join(key, maps, picture)
      this.kept.set(key, encoded)
      if (encoded.sampled) maps.length = 0
      try {
        // Stopped here, the picture is finished all the same: the GPU has its commands, and the next question finds it.
        await abortable(gpu.finish(), signal)
        arena.trim()
      } catch (error) {
        if (!(error instanceof AbortError)) this.forget(key)
        throw error
      }
      return { key, ...encoded }
    } finally {
      for (const map of maps) gpu.destroyBuffer(map.buffer)
    }
  }

  /** Throws: ImageError for files that are no picture. */
  decode(bytes: Uint8Array): Promise<RgbImage> {
    return decodeImage(bytes, this.codecs)
  }

  /** Preprocesses a picture as one tower's image processor says. */
  pixels(picture: RgbImage, tower: number): PixelValues {
    const values = preprocess(picture, this.processors[tower]!)
    const side = this.vlm.towers.blueprints[tower]!.tower.config.imageSize
    if (values.width !== side || values.height !== side) {
      throw new ConfigError(
        `preprocessor_config.json: makes pictures of ${values.width}x${values.height}, but the tower takes ${side}x${side}. ` +
          'The checkpoint is inconsistent; choose another.',
      )
    }
    return values
  }

  /** What the connector keeps of one tower's features, in a buffer of its own. */
  private runTower(
    index: number,
    { pixels, height, width }: PixelValues,
    label: string,
    signal: AbortSignal,
    onTower: (progress: TowerProgress) => void,
  ): Promise<Tensor> {
    const { gpu, arena, towers, connector } = this.vlm
    const onProgress = (progress: StreamProgress) =>
      onTower({ ...progress, tower: index, towers: towers.count })
    return towers.use(index, { signal, onProgress }, async (tower, blueprint) => {
      const enc = new Encoder(gpu, arena, `encode image: ${blueprint.name}`)
      const input = uploadTensor(gpu, 'pixel values', [1, 3, height, width], pixels)
      try {
        const maps = await tower.features(enc, input)
        return this.own(enc, connector!.keep(enc, index, selectFeatures(enc, blueprint, maps)), label)
      } finally {
        enc.end()
        gpu.destroyBuffer(input.buffer)
      }
    })
  }

  private join(key: string, maps: readonly Tensor[], size: PictureSize): Encoded {
    const { gpu, arena, connector } = this.vlm
    const enc = new Encoder(gpu, arena, 'join towers')
    try {
      const features = this.own(enc, connector!.join(enc, maps, size), `image ${key}`)
      const { width, height } = size
      const keepsMaps = connector!.samplers.size > 0 || connector!.shares !== undefined
      const sampled = keepsMaps ? { maps: [...maps], size: { width, height } } : undefined
      return { features, sampled, size: { width, height } }
    } finally {
      enc.end()
    }
  }

  /** A temporary copied into a buffer that outlives the step. */
  private own(enc: Encoder, tensor: Tensor, label: string): Tensor {
    const owned = createTensor(this.vlm.gpu, label, tensor.shape)
    enc.copy(tensor, owned)
    return owned
  }

  /** Forgets the pictures used longest ago where too many are kept, but none of `needed`. */
  trim(needed: ReadonlySet<string>): void {
    let bytes = 0
    for (const encoded of this.kept.values()) bytes += bytesOf(encoded)
    for (const [key, encoded] of this.kept) {
      if (bytes <= this.keptBytes) break
      if (needed.has(key)) continue
      bytes -= bytesOf(encoded)
      this.forget(key)
    }
  }

  private forget(key: string): void {
    const encoded = this.kept.get(key)
    if (encoded) for (const { buffer } of tensorsOf(encoded)) this.vlm.gpu.destroyBuffer(buffer)
    this.kept.delete(key)
  }

  /** Frees every encoded picture. */
  forgetAll(): void {
    for (const key of [...this.kept.keys()]) this.forget(key)
  }

  destroy(): void {
    this.forgetAll()
  }
}

const tensorsOf = ({ features, sampled }: Encoded) => [features, ...(sampled?.maps ?? [])]
const bytesOf = (encoded: Encoded) => tensorsOf(encoded).reduce((sum, { buffer }) => sum + buffer.size, 0)
