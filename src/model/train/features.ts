import { Encoder, uploadTensor } from '../../kernels'
import type { ByteStore } from '../checkpoint/byte-store'
import type { PictureSize } from '../connector/definition'
import { AbortError, ConfigError, DatasetError, ImageError } from '../errors'
import type { TowerBlueprint } from '../family/definition'
import type { Codecs } from '../image/codecs'
import { decodeImage } from '../image/decode'
import type { RgbImage } from '../image/image'
import { preprocess, type PixelValues } from '../image/preprocess'
import type { ImageProcessor } from '../image/processor'
import { sha256 } from '../sha256'
import { selectFeatures } from '../towers'
import type { VisionTower } from '../vision/definition'
import type { Vlm } from '../vlm'
import { FeatureStore, type HostTensor, type TowerMaps } from './feature-store'
import type { TrainingPicture } from './training-pass'

/** Features that stay in memory between epochs, at most. */
const HELD_BYTES = 256 * 2 ** 20
/** Pictures whose hashes stay in memory, at most; those of others are taken anew. About 25 MB. */
const HELD_HASHES = 100_000
/** Pictures that are made ready at a time, at most: one visit of each tower that comes and goes serves them all. */
const MOST_AHEAD = 32

/** What every tower gave for a picture. */
type Features = readonly TowerMaps[]

/** A picture that some towers have not seen. */
interface Unseen {
  /** Undefined for one that is not to be kept. */
  readonly hash: string | undefined
  /** Decodes it anew: few decoded pictures fit in memory at once. */
  readonly decode: () => Promise<RgbImage>
  readonly lacks: ReadonlySet<number>
  readonly towers: (TowerMaps | undefined)[]
  /** Why it is none. */
  fault?: Error
}

export interface FeatureOptions {
  /** One for each tower. */
  readonly processors: readonly ImageProcessor[]
  readonly codecs: Codecs
  /** Tells one tower's features from another's: equal for equal weights, precision and preprocessing. */
  readonly towerKeys: readonly string[]
  /** Keeps features from visit to visit. */
  readonly store?: ByteStore | undefined
  readonly onNote?: ((note: string) => void) | undefined
}

/** A picture of a dataset. */
export interface PictureFile {
  readonly path: string
  bytes(): Promise<Uint8Array>
}

type OnProgress = (done: number, index: number, isCached: boolean) => void

/** Features of frozen towers, computed once for each picture and tower, whatever the number of epochs. */
export class FeatureCache {
  /** Pictures that towers had to see. */
  computed = 0
  /** Least recently used first, by the picture's hash. */
  private readonly held = new Map<string, Features>()
  private heldBytes = 0
  private readonly hashes = new Map<string, string>()
  private readonly store: FeatureStore | undefined

  constructor(
    private readonly vlm: Vlm,
    private readonly options: FeatureOptions,
  ) {
    this.store = options.store && new FeatureStore(options.store, options.onNote)
  }

  /** Pictures that `prepare` should be given at a time: where nothing keeps them, as many as stay in memory. */
  get ahead(): number {
    if (this.store?.keeps) return MOST_AHEAD
    return Math.max(
      1,
      Math.min(MOST_AHEAD, Math.floor(HELD_BYTES / featureBytes(this.vlm.towers.blueprints))),
    )
  }

  /**
   * Features of pictures, each with why it has none where it is no picture. Towers that do not stay on the GPU are
   * fetched once for all of them.
   *
   * Throws: AbortError; what loading a tower throws; DeviceLostError.
   */
  async of(
    files: readonly PictureFile[],
    signal: AbortSignal,
    onProgress: OnProgress = () => {},
  ): Promise<(TrainingPicture | Error)[]> {
    const found: (Features | Error)[] = []
    let done = 0
    /** By hash: several rows may show the same picture. */
    const unseen = new Map<string, Unseen & { readonly indices: number[] }>()
    for (const [index, file] of files.entries()) {
      try {
        const kept = await this.find(file)
        if ('lacks' in kept) {
          const indices = unseen.get(kept.hash)?.indices ?? []
          if (indices.push(index) === 1) unseen.set(kept.hash, { ...kept, indices })
        } else {
          found[index] = kept
          onProgress(++done, index, true)
        }
      } catch (error) {
        found[index] = faultOf(error)
      }
    }
    await this.compute([...unseen.values()], signal)
    for (const [hash, { indices, towers, fault }] of unseen) {
      if (!fault) this.hold(hash, towers as TowerMaps[])
      for (const [i, index] of indices.entries()) {
        found[index] = fault ?? (towers as TowerMaps[])
        if (!fault) onProgress(++done, index, i > 0)
      }
    }
    return found.map((features) => (features instanceof Error ? features : this.pictureOf(features)))
  }

  /**
   * Has towers see pictures that `of` will be asked for, so that each is fetched once for all. Nothing of them stays in
   * memory where a store keeps them.
   *
   * Throws: as `of`.
   */
  async prepare(
    files: readonly PictureFile[],
    signal: AbortSignal,
    onProgress: OnProgress = () => {},
  ): Promise<void> {
    if (!this.store?.keeps) {
      // More would be forgotten before they are asked for.
      if (files.length <= this.ahead) await this.of(files, signal, onProgress)
      return
    }
    const unseen = new Map<string, Unseen & { readonly index: number }>()
    for (const [index, file] of files.entries()) {
      try {
        const { hash, bytes } = await this.hashOf(file)
        if (this.held.has(hash) || unseen.has(hash)) continue
        const isKept = await Promise.all(this.keysOf(hash).map((key) => this.store!.has(key)))
        const lacks = new Set(isKept.flatMap((kept, tower) => (kept ? [] : [tower])))
        if (lacks.size === 0) continue
        unseen.set(hash, { index, hash, lacks, towers: [], decode: this.decoder(file, bytes) })
      } catch (error) {
        // Said again, of the row, when it is its turn.
        faultOf(error)
      }
    }
    await this.compute([...unseen.values()], signal, { isDropped: true })
    let done = 0
    for (const { index } of unseen.values()) onProgress(++done, index, false)
  }

  /** Features of pictures at hand, which are not kept. Throws: as `of`. */
  async ofImages(pictures: readonly RgbImage[], signal: AbortSignal): Promise<TrainingPicture[]> {
    const unseen = pictures.map((picture): Unseen => ({
      hash: undefined,
      lacks: new Set(this.options.towerKeys.keys()),
      towers: [],
      decode: () => Promise.resolve(picture),
    }))
    await this.compute(unseen, signal)
    return unseen.map(({ towers }) => this.pictureOf(towers as TowerMaps[]))
  }

  /** From memory or the store; else the picture itself, with what is known of it. */
  private async find(file: PictureFile): Promise<Features | (Unseen & { readonly hash: string })> {
    const { hash, bytes } = await this.hashOf(file)
    const held = this.held.get(hash)
    if (held) {
      this.held.delete(hash)
      this.held.set(hash, held)
      return held
    }
    const towers = await Promise.all(this.keysOf(hash).map((key) => this.store?.load(key)))
    const lacks = new Set(towers.flatMap((maps, tower) => (maps ? [] : [tower])))
    if (lacks.size > 0) return { hash, lacks, towers, decode: this.decoder(file, bytes) }
    this.hold(hash, towers as TowerMaps[])
    return towers as TowerMaps[]
  }

  private async hashOf(file: PictureFile): Promise<{ hash: string; bytes?: Uint8Array }> {
    const known = this.hashes.get(file.path)
    if (known !== undefined) return { hash: known }
    const bytes = await file.bytes()
    const hash = await sha256(bytes)
    if (this.hashes.size < HELD_HASHES) this.hashes.set(file.path, hash)
    return { hash, bytes }
  }

  private keysOf(hash: string): string[] {
    return this.options.towerKeys.map((key) => `${hash}|${key}`)
  }

  private decoder(file: PictureFile, bytes: Uint8Array | undefined): () => Promise<RgbImage> {
    return async () => decodeImage(bytes ?? (await file.bytes()), this.options.codecs)
  }

  /** Runs every tower over the pictures that it has not seen; `isDropped` where the store is all that keeps its maps. */
  private async compute(
    unseen: readonly Unseen[],
    signal: AbortSignal,
    { isDropped = false } = {},
  ): Promise<void> {
    if (unseen.length === 0) return
    const { arena, towers } = this.vlm
    for (let tower = 0; tower < towers.count; tower++) {
      const waiting = unseen.filter(({ lacks, fault }) => lacks.has(tower) && !fault)
      if (waiting.length === 0) continue
      await towers.use(tower, { signal }, async (running, { tower: { config } }) => {
        for (const entry of waiting) {
          if (signal.aborted) throw new AbortError('train: stopped by the reader.')
          try {
            const seen = await this.look(
              running,
              this.pixelsOf(tower, await entry.decode(), config.imageSize),
            )
            if (entry.hash !== undefined) await this.store?.save(this.keysOf(entry.hash)[tower]!, seen)
            if (!isDropped) entry.towers[tower] = seen
          } catch (error) {
            entry.fault = faultOf(error)
          }
        }
      })
    }
    this.computed += unseen.filter(({ fault }) => !fault).length
    arena.trim()
  }

  /** A picture as a tower takes it. Throws: ConfigError where the checkpoint's sizes disagree. */
  private pixelsOf(
    tower: number,
    picture: RgbImage,
    side: number,
  ): { size: PictureSize; pixels: PixelValues } {
    const pixels = preprocess(picture, this.options.processors[tower]!)
    const { height, width } = pixels
    if (height !== side || width !== side) {
      throw new ConfigError(
        `train: pictures are made ${width}x${height}, but tower ${tower} takes ${side}x${side}. ` +
          'The checkpoint is inconsistent; choose another.',
      )
    }
    return { size: { width: picture.width, height: picture.height }, pixels }
  }

  private async look(
    tower: VisionTower,
    { size, pixels: { pixels, height, width } }: { size: PictureSize; pixels: PixelValues },
  ): Promise<TowerMaps> {
    const { gpu, arena } = this.vlm
    const enc = new Encoder(gpu, arena, 'tower features')
    // They are kept for every run to come.
    enc.isExact = true
    const input = uploadTensor(gpu, 'pixel values', [1, 3, height, width], pixels)
    try {
      const maps: HostTensor[] = []
      for (const map of await tower.features(enc, input)) {
        maps.push({ shape: map.shape, data: (await enc.read(map)) as Float32Array<ArrayBuffer> })
      }
      return { size, maps }
    } finally {
      enc.end()
      gpu.destroyBuffer(input.buffer)
    }
  }

  private pictureOf(features: Features): TrainingPicture {
    const { blueprints } = this.vlm.towers
    return {
      size: sizeOf(features),
      features: (enc) =>
        features.map(({ maps }, i) =>
          selectFeatures(
            enc,
            blueprints[i]!,
            maps.map(({ shape, data }) => enc.constant(data, shape)),
          ),
        ),
    }
  }

  private hold(hash: string, features: Features): void {
    if (this.held.has(hash)) return
    this.held.set(hash, features)
    this.heldBytes += bytesOf(features)
    for (const [oldest, old] of this.held) {
      if (this.heldBytes <= HELD_BYTES || oldest === hash) break
      this.held.delete(oldest)
      this.heldBytes -= bytesOf(old)
    }
  }
}

/** Of one picture, all towers' maps in f32. */
export const featureBytes = (towers: readonly TowerBlueprint[]): number =>
  towers.reduce((sum, { tower: { config } }) => {
    const { maps, patchTokens, hasClsToken, hiddenSize } = config
    const elements = maps
      ? maps.reduce((total, { side, width }) => total + side * side * width, 0)
      : (patchTokens + Number(hasClsToken)) * hiddenSize
    return sum + elements * 4
  }, 0)

/** A file that is missing or no picture is the sample's fault; anything else is thrown on. */
function faultOf(error: unknown): Error {
  if (error instanceof ImageError || error instanceof DatasetError) return error
  throw error
}

const sizeOf = (features: Features): PictureSize => features[0]!.size

const bytesOf = (features: Features) =>
  features.reduce((sum, { maps }) => maps.reduce((total, { data }) => total + data.byteLength, sum), 0)
