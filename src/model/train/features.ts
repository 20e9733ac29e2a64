import { Encoder, uploadTensor } from '../../kernels'
import type { ByteStore } from '../checkpoint/byte-store'
import { reasonOf } from '../checkpoint/retry'
import { dataStartOf, LENGTH_BYTES, parseSafetensorsHeader } from '../checkpoint/safetensors'
import { writeSafetensors, type TensorData } from '../checkpoint/safetensors-writer'
import type { PictureSize } from '../connector/definition'
import { ConfigError } from '../errors'
import type { Codecs } from '../image/codecs'
import { decodeImage } from '../image/decode'
import type { RgbImage } from '../image/image'
import { preprocess } from '../image/preprocess'
import type { ImageProcessor } from '../image/processor'
import { selectFeatures } from '../towers'
import type { Vlm } from '../vlm'
import type { TrainingPicture } from './training-pass'

/** Features that stay in memory between epochs, at most. */
const HELD_BYTES = 256 * 2 ** 20

interface HostTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array<ArrayBuffer>
}

/** What one tower gave for a picture: its maps, before rows are chosen. */
type TowerMaps = readonly HostTensor[]

interface Features {
  readonly size: PictureSize
  readonly towers: readonly TowerMaps[]
}

/** A picture that some towers have not seen. */
interface Unseen {
  /** Undefined for one that is not to be kept. */
  readonly hash: string | undefined
  readonly picture: RgbImage
  readonly towers: (TowerMaps | undefined)[]
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

/** Features of frozen towers, computed once for each picture and tower, whatever the number of epochs. */
export class FeatureCache {
  /** Pictures that towers had to see. */
  computed = 0
  /** Least recently used first, by the picture's hash. */
  private readonly held = new Map<string, Features>()
  private heldBytes = 0
  private readonly hashes = new Map<string, string>()
  private store: ByteStore | undefined

  constructor(
    private readonly vlm: Vlm,
    private readonly options: FeatureOptions,
  ) {
    this.store = options.store
  }

  /**
   * Features of pictures, each with why it has none where it is no picture. Towers that do not stay on the GPU are
   * fetched once for all of them.
   *
   * Throws: what loading a tower throws; DeviceLostError.
   */
  async of(
    files: readonly PictureFile[],
    signal: AbortSignal,
    onProgress: (done: number, index: number, isCached: boolean) => void = () => {},
  ): Promise<(TrainingPicture | Error)[]> {
    const found: (Features | Error)[] = []
    let done = 0
    const missing: (Unseen & { index: number })[] = []
    for (const [index, file] of files.entries()) {
      try {
        const kept = await this.find(file)
        if ('features' in kept) {
          found[index] = kept.features
          onProgress(++done, index, true)
        } else missing.push({ index, ...kept })
      } catch (error) {
        // A file that is missing or no picture is the sample's fault, not the run's.
        found[index] = error as Error
      }
    }
    if (missing.length > 0) await this.compute(missing, signal)
    for (const { index, hash, picture, towers } of missing) {
      const features = { size: sizeOf(picture), towers: towers as TowerMaps[] }
      if (hash !== undefined) this.hold(hash, features)
      found[index] = features
      onProgress(++done, index, false)
    }
    return found.map((features) => (features instanceof Error ? features : this.pictureOf(features)))
  }

  /** Features of pictures at hand, which are not kept. Throws: as `of`. */
  async ofImages(pictures: readonly RgbImage[], signal: AbortSignal): Promise<TrainingPicture[]> {
    const unseen = pictures.map((picture) => ({ picture, hash: undefined, towers: [] as TowerMaps[] }))
    await this.compute(unseen, signal)
    return unseen.map(({ picture, towers }) => this.pictureOf({ size: sizeOf(picture), towers }))
  }

  /** From memory or the store; else the picture itself, with what is known of it. */
  private async find(file: PictureFile): Promise<{ features: Features } | Unseen> {
    let bytes: Uint8Array | undefined
    let hash = this.hashes.get(file.path)
    if (hash === undefined) {
      bytes = await file.bytes()
      hash = await sha256(bytes)
      this.hashes.set(file.path, hash)
    }
    const held = this.held.get(hash)
    if (held) {
      this.held.delete(hash)
      this.held.set(hash, held)
      return { features: held }
    }
    const { towerKeys } = this.options
    const kept = await Promise.all(towerKeys.map((key) => this.load(`${hash}|${key}`)))
    const size = kept.find((entry) => entry)?.size
    if (size && kept.every((entry) => entry !== undefined)) {
      const features = { size, towers: kept.map((entry) => entry.maps) }
      this.hold(hash, features)
      return { features }
    }
    const picture = await decodeImage(bytes ?? (await file.bytes()), this.options.codecs)
    return { hash, picture, towers: kept.map((entry) => entry?.maps) }
  }

  /** Runs every tower over the pictures that it has not seen. */
  private async compute(missing: readonly Unseen[], signal: AbortSignal): Promise<void> {
    const { gpu, arena, towers } = this.vlm
    for (let tower = 0; tower < towers.count; tower++) {
      const unseen = missing.filter((entry) => !entry.towers[tower])
      if (unseen.length === 0) continue
      await towers.use(tower, { signal }, async (running, { tower: { config } }) => {
        for (const entry of unseen) {
          const { pixels, height, width } = preprocess(entry.picture, this.options.processors[tower]!)
          if (height !== config.imageSize || width !== config.imageSize) {
            throw new ConfigError(
              `train: pictures are made ${width}x${height}, but tower ${tower} takes ${config.imageSize}x${config.imageSize}. ` +
                'The checkpoint is inconsistent; choose another.',
            )
          }
          const enc = new Encoder(gpu, arena, 'tower features')
          const input = uploadTensor(gpu, 'pixel values', [1, 3, height, width], pixels)
          try {
            const maps: HostTensor[] = []
            for (const map of await running.features(enc, input)) {
              maps.push({ shape: map.shape, data: (await enc.read(map)) as Float32Array<ArrayBuffer> })
            }
            entry.towers[tower] = maps
            if (entry.hash !== undefined)
              await this.save(`${entry.hash}|${this.options.towerKeys[tower]!}`, sizeOf(entry.picture), maps)
          } finally {
            enc.end()
            gpu.destroyBuffer(input.buffer)
          }
        }
      })
    }
    this.computed += missing.length
    arena.trim()
  }

  private pictureOf({ size, towers }: Features): TrainingPicture {
    const { blueprints } = this.vlm.towers
    return {
      size,
      features: (enc) =>
        towers.map((maps, i) =>
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

  /** Anything but whole and fitting features counts as none. */
  private async load(key: string): Promise<{ size: PictureSize; maps: TowerMaps } | undefined> {
    try {
      const stream = await this.store?.read(key)
      if (!stream) return undefined
      const bytes = new Uint8Array(await new Response(stream).arrayBuffer())
      const { tensors, metadata } = parseSafetensorsHeader(
        bytes.subarray(0, dataStartOf(bytes.subarray(0, LENGTH_BYTES), bytes.length, 'features')),
        bytes.length,
        'features',
      )
      const size = { width: Number(metadata['width']), height: Number(metadata['height']) }
      const maps = tensors
        .map(({ name, shape, start, end }) => ({
          index: Number(name),
          shape,
          data: new Float32Array(bytes.buffer.slice(start, end)),
        }))
        .sort((a, b) => a.index - b.index)
      return size.width > 0 && size.height > 0 && maps.length > 0 ? { size, maps } : undefined
    } catch {
      await this.store?.remove(key).catch(() => {})
      return undefined
    }
  }

  private async save(key: string, { width, height }: PictureSize, maps: TowerMaps): Promise<void> {
    if (!this.store) return
    const tensors = maps.map(({ shape, data }, i): TensorData => ({
      name: String(i),
      dtype: 'F32',
      shape,
      data: new Uint8Array(data.buffer),
    }))
    const pieces = writeSafetensors(tensors, { width: String(width), height: String(height) })
    try {
      const writer = await this.store.write(
        key,
        pieces.reduce((sum, { byteLength }) => sum + byteLength, 0),
      )
      for (const piece of pieces) await writer.write(piece)
      await writer.close()
    } catch (error) {
      this.store = undefined
      this.options.onNote?.(
        `Features of pictures are not kept on this device (${reasonOf(error)}); a resumed run computes them again.`,
      )
    }
  }
}

const sizeOf = ({ width, height }: RgbImage): PictureSize => ({ width, height })

const bytesOf = ({ towers }: Features) =>
  towers.reduce((sum, maps) => maps.reduce((total, { data }) => total + data.byteLength, sum), 0)

async function sha256(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
