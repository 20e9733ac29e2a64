import { createTensor, Encoder, type Gpu, type Tensor } from '../kernels'
import type { StreamProgress } from './checkpoint/progress'
import { abortable } from './checkpoint/retry'
import type { PictureSize, SampledPicture } from './connector/definition'
import { AbortError, ConfigError, ImageError } from './errors'
import type { Codecs } from './image/codecs'
import { decodeImage } from './image/decode'
import type { RgbImage } from './image/image'
import { preprocess, type PixelValues } from './image/preprocess'
import type { ImageProcessor } from './image/processor'
import { rowsOfPicture } from './layers/row-tiles'
import { picturesAtOnce } from './picture-cost'
import type { MemoryPlan } from './plan'
import type { PromptImage } from './prompt'
import { selectFeatures } from './towers'
import type { VisionTower } from './vision/definition'
import type { Vlm } from './vlm'

/** A tower on its way to the GPU for pictures that need it. */
export type TowerProgress = StreamProgress & { readonly tower: number; readonly towers: number }

/** A picture's file. */
export interface PictureFile {
  /** Identity of the picture: equal keys have equal features. */
  readonly key: string
  bytes(): Promise<Uint8Array>
}

export interface EncodeListener {
  /** Told before anything is done and before each batch: how much is done, 0 to 1. */
  onShare?(share: number): void
  onTower?(progress: TowerProgress): void
}

interface Encoded {
  readonly features: Tensor
  readonly sampled: SampledPicture | undefined
  readonly size: PictureSize
}

/** A picture on its way through the towers. */
interface Unseen {
  readonly key: string
  readonly size: PictureSize
  /** One for each tower: smaller than the decoded picture, which is not held. */
  readonly values: readonly PixelValues[]
  /** What the connector keeps of the towers that have seen it. */
  maps: Tensor[]
}

/** Pictures' rows in the language model's space, computed once for each picture. */
export class ImageFeatures {
  /** Least recently used first. */
  private readonly kept = new Map<string, Encoded>()

  constructor(
    private readonly vlm: Vlm,
    /** One for each tower. */
    private readonly processors: readonly ImageProcessor[],
    private readonly codecs: Codecs,
    private readonly plan: Pick<MemoryPlan, 'pictureCosts' | 'spareBytes' | 'keptPictureBytes'>,
  ) {}

  has(key: string): boolean {
    return this.kept.has(key)
  }

  /** The size of a picture that was encoded, and what its towers gave where that is kept. */
  known(key: string): Pick<Encoded, 'size' | 'sampled'> | undefined {
    return this.kept.get(key)
  }

  /**
   * Encodes pictures, or finds them. Each tower sees those that are new in batches, one tower after the other, so that
   * one that does not stay is fetched once for all of them.
   *
   * Stopped in between, pictures that every tower has seen stay; the GPU has its commands, and the next question finds them.
   *
   * Throws: ImageError for files that are no picture, before any tower runs; what loadWeights throws where a tower has to
   * be fetched; AbortError.
   */
  async encode(
    pictures: readonly PictureFile[],
    signal: AbortSignal,
    listener: EncodeListener = {},
  ): Promise<PromptImage[]> {
    for (const { key } of pictures) {
      const found = this.kept.get(key)
      if (!found) continue
      this.kept.delete(key)
      this.kept.set(key, found)
    }
    if (pictures.some(({ key }) => !this.kept.has(key))) await this.encodeNew(pictures, signal, listener)
    return pictures.map(({ key }) => ({ key, ...this.kept.get(key)! }))
  }

  private async encodeNew(
    pictures: readonly PictureFile[],
    signal: AbortSignal,
    { onShare = () => {}, onTower = () => {} }: EncodeListener,
  ): Promise<void> {
    onShare(0)
    const unseen = await this.prepare(pictures, signal)
    const { gpu, arena, towers } = this.vlm
    // What is timed by doing it again needs its towers until then: those that do not stay would pile up.
    const stay = towers.blueprints.every((_, tower) => towers.at(tower))
    if (stay || gpu.profiler?.timer) gpu.profiler?.enter('encode', unseen.length)
    // Towers have no use for buffers of the language model's sizes, nor for each other's.
    arena.trim()
    try {
      for (let tower = 0; tower < towers.count; tower++) {
        const onProgress = (progress: StreamProgress) => onTower({ ...progress, tower, towers: towers.count })
        await towers.use(tower, { signal, onProgress }, async (running) => {
          for (let start = 0; start < unseen.length;) {
            onShare((tower + start / unseen.length) / towers.count)
            throwIfStopped(signal)
            const batch = unseen.slice(start, start + this.atOnce(tower, unseen))
            await this.see(tower, running, batch)
            if (tower === towers.count - 1) for (const picture of batch) this.finish(picture)
            await this.settle(batch, signal)
            start += batch.length
          }
        })
        arena.trim()
      }
    } finally {
      for (const { maps } of unseen) for (const map of maps) gpu.destroyBuffer(map.buffer)
    }
  }

  /** Decodes and preprocesses the pictures that are new, each once. Throws: ImageError that says which picture. */
  private async prepare(pictures: readonly PictureFile[], signal: AbortSignal): Promise<Unseen[]> {
    const unseen = new Map<string, Unseen>()
    for (const [index, { key, bytes }] of pictures.entries()) {
      if (this.kept.has(key) || unseen.has(key)) continue
      throwIfStopped(signal)
      try {
        const picture = await this.decode(await bytes())
        const values = this.vlm.towers.blueprints.map((_, tower) => this.pixels(picture, tower))
        unseen.set(key, { key, size: { width: picture.width, height: picture.height }, values, maps: [] })
      } catch (error) {
        if (!(error instanceof ImageError) || pictures.length === 1) throw error
        throw new ImageError(`picture ${index + 1} of ${pictures.length}: ${error.message}`, { cause: error })
      }
    }
    return [...unseen.values()]
  }

  /** How many pictures a tower is to see at once, beside all that are kept. */
  private atOnce(tower: number, unseen: readonly Unseen[]): number {
    const { pictureCosts, spareBytes } = this.plan
    const waiting = unseen.flatMap(({ maps }) => maps)
    const heldBytes = [...this.kept.values()].reduce(
      (sum, encoded) => sum + bytesOf(encoded),
      sumBytes(waiting),
    )
    return picturesAtOnce(pictureCosts[tower]!, spareBytes - heldBytes, this.vlm.gpu.caps)
  }

  /** Waits until pictures are through a tower. */
  private async settle(batch: readonly Unseen[], signal: AbortSignal): Promise<void> {
    try {
      await abortable(this.vlm.gpu.finish(), signal)
    } catch (error) {
      if (!(error instanceof AbortError)) for (const { key } of batch) this.forget(key)
      throw error
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

  /** Runs a tower over pictures, and adds what the connector keeps of each, in buffers of their own. */
  private async see(index: number, tower: VisionTower, pictures: readonly Unseen[]): Promise<void> {
    const { gpu, arena, towers, connector } = this.vlm
    const blueprint = towers.blueprints[index]!
    const enc = new Encoder(gpu, arena, `encode images: ${blueprint.name}`)
    const input = uploadPixels(
      gpu,
      pictures.map(({ values }) => values[index]!),
    )
    try {
      const all = await tower.features(enc, input)
      for (const [picture, { key, maps }] of pictures.entries()) {
        enc.scope(() => {
          const own = all.map((map) => rowsOfPicture(enc, map, { picture, batch: pictures.length }))
          const kept = connector!.keep(enc, index, selectFeatures(enc, blueprint, own))
          maps.push(this.own(enc, kept, `image ${key} map ${index}`))
        })
      }
    } finally {
      enc.end()
      gpu.destroyBuffer(input.buffer)
    }
  }

  /** Joins what all towers gave for a picture, and keeps it. */
  private finish(picture: Unseen): void {
    const { gpu, arena, connector } = this.vlm
    const { key, maps, size } = picture
    const enc = new Encoder(gpu, arena, 'join towers')
    try {
      const features = this.own(enc, connector!.join(enc, maps, size), `image ${key}`)
      const keepsMaps = connector!.samplers.size > 0 || connector!.shares !== undefined
      this.kept.set(key, { features, sampled: keepsMaps ? { maps, size } : undefined, size })
      if (keepsMaps) picture.maps = []
    } finally {
      enc.end()
    }
    for (const map of picture.maps.splice(0)) gpu.destroyBuffer(map.buffer)
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
      if (bytes <= this.plan.keptPictureBytes) break
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
const sumBytes = (tensors: readonly Tensor[]) => tensors.reduce((sum, { buffer }) => sum + buffer.size, 0)
const bytesOf = (encoded: Encoded) => sumBytes(tensorsOf(encoded))

/** Shapes: -> [B, 3, height, width], of pictures of one size. */
function uploadPixels(gpu: Gpu, pictures: readonly PixelValues[]): Tensor {
  const { height, width } = pictures[0]!
  const input = createTensor(gpu, 'pixel values', [pictures.length, 3, height, width])
  const bytes = 3 * height * width * 4
  for (const [i, { pixels }] of pictures.entries()) {
    gpu.device.queue.writeBuffer(input.buffer, i * bytes, pixels as Float32Array<ArrayBuffer>)
  }
  return input
}

function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new AbortError('ask: stopped by the reader.')
}
