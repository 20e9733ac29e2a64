import type { ByteStore, ByteWriter } from '../checkpoint/byte-store'
import { reasonOf } from '../checkpoint/retry'
import { dataStartOf, LENGTH_BYTES, parseSafetensorsHeader } from '../checkpoint/safetensors'
import { writeSafetensors, type TensorData } from '../checkpoint/safetensors-writer'
import type { PictureSize } from '../connector/definition'

export interface HostTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array<ArrayBuffer>
}

/** What one tower gave for a picture: its maps, before rows are chosen. */
export interface TowerMaps {
  readonly size: PictureSize
  readonly maps: readonly HostTensor[]
}

/** Features of pictures from visit to visit, a safetensors file for each picture and tower. It never stops a run. */
export class FeatureStore {
  private canWrite = true

  constructor(
    private readonly store: ByteStore,
    private readonly onNote: (note: string) => void = () => {},
  ) {}

  /** Whether features will be found again; false once they could not be written. */
  get keeps(): boolean {
    return this.canWrite
  }

  /** Whether something is kept under the key; `load` may still find it damaged. */
  async has(key: string): Promise<boolean> {
    const stream = await this.store.read(key).catch(() => undefined)
    await stream?.cancel().catch(() => {})
    return stream !== undefined
  }

  /** Undefined for anything but whole and fitting features. */
  async load(key: string): Promise<TowerMaps | undefined> {
    try {
      const stream = await this.store.read(key)
      return stream && parse(new Uint8Array(await new Response(stream).arrayBuffer()))
    } catch {
      await this.store.remove(key).catch(() => {})
      return undefined
    }
  }

  /** Once there is no room, nothing more is written in this run; what is kept already can still be read. */
  async save(key: string, { size, maps }: TowerMaps): Promise<void> {
    if (!this.canWrite) return
    const tensors = maps.map(({ shape, data }, i): TensorData => ({
      name: String(i),
      dtype: 'F32',
      shape,
      data: new Uint8Array(data.buffer),
    }))
    const pieces = writeSafetensors(tensors, { width: String(size.width), height: String(size.height) })
    let writer: ByteWriter | undefined
    try {
      writer = await this.store.write(
        key,
        pieces.reduce((sum, { byteLength }) => sum + byteLength, 0),
      )
      for (const piece of pieces) await writer.write(piece)
      await writer.close()
    } catch (error) {
      await writer?.abort().catch(() => {})
      this.canWrite = false
      this.onNote(
        `Features of pictures are not kept on this device any more (${reasonOf(error)}); towers see these pictures again.`,
      )
    }
  }
}

/** Throws: CheckpointError for what is no file of features. */
function parse(bytes: Uint8Array<ArrayBuffer>): TowerMaps | undefined {
  const head = bytes.subarray(0, dataStartOf(bytes.subarray(0, LENGTH_BYTES), bytes.length, 'features'))
  const { tensors, metadata } = parseSafetensorsHeader(head, bytes.length, 'features')
  const size = { width: Number(metadata['width']), height: Number(metadata['height']) }
  const maps = tensors
    .toSorted((a, b) => Number(a.name) - Number(b.name))
    .map(({ shape, start, end }) => ({ shape, data: new Float32Array(bytes.buffer.slice(start, end)) }))
  return size.width > 0 && size.height > 0 && maps.length > 0 ? { size, maps } : undefined
}
