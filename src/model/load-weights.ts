import { Encoder, packRows, widen, type Arena, type Gpu, type Tensor, type Weight } from '../kernels'
import type { OpenedModel } from './checkpoint-files'
import type { StreamProgress } from './checkpoint/progress'
import type { TensorEntry } from './checkpoint/safetensors'
import { streamTensors } from './checkpoint/stream-tensors'
import { matrixShape, WeightStore } from './parameters'
import { heldAs, sourceDtype, type ModelDtype, type SourceDtype, type TowerDtype } from './precision'

/** Bytes of a piece on its way from the stream to the GPU; whole rows. */
const PIECE_BYTES = 4 * 2 ** 20
/** Bytes handed to the queue before waiting for the GPU: `writeBuffer` copies, and the copies live until it is done. */
const QUEUED_BYTES = 24 * 2 ** 20

interface Destination {
  readonly dtype: SourceDtype
  /** Bytes of one row as stored. */
  readonly rowBytes: number
  readonly weight: Weight | undefined
  readonly vector: Tensor | undefined
}

/**
 * Streams every weight to the GPU, converting or quantising it there.
 *
 * The host holds one piece and one network chunk at a time, whatever the model's size.
 *
 * Returns: the weights and the most bytes the host held.
 * Throws: CheckpointError, NetworkError, AbortError, OutOfMemoryError; nothing stays allocated then.
 */
export async function loadWeights(
  gpu: Gpu,
  arena: Arena,
  model: OpenedModel,
  dtype: ModelDtype,
  options: {
    signal?: AbortSignal | undefined
    onProgress?: ((progress: StreamProgress) => void) | undefined
    towerDtype?: TowerDtype | undefined
    /** Parameters to load; default: all. */
    only?: ((name: string) => boolean) | undefined
  } = {},
): Promise<{ weights: WeightStore; peakHostBytes: number }> {
  const weights = new WeightStore(gpu)
  try {
    const destinations = new Map<TensorEntry, Destination>()
    for (const [name, entry] of model.tensors) {
      if (options.only && !options.only(name)) continue
      destinations.set(entry, allocate(weights, name, entry, model, dtype, options.towerDtype))
    }
    for (const [name, owner] of Object.entries(model.tied)) {
      if (!options.only || options.only(owner)) weights.tie(name, owner)
    }
    await gpu.check()

    const enc = new Encoder(gpu, arena, 'load')
    let queuedBytes = 0
    const report = await streamTensors(
      model.checkpoints,
      {
        chunkBytes: (entry) => {
          const to = destinations.get(entry)
          if (!to) return undefined
          return to.weight
            ? Math.max(1, Math.floor(PIECE_BYTES / to.rowBytes)) * to.rowBytes
            : entry.end - entry.start
        },
        write: async (entry, byteOffset, bytes) => {
          write(enc, destinations.get(entry)!, byteOffset, bytes)
          queuedBytes += bytes.length
          if (queuedBytes >= QUEUED_BYTES) {
            queuedBytes = 0
            await gpu.finish()
          }
        },
      },
      {
        ...(options.signal && { signal: options.signal }),
        ...(options.onProgress && { onProgress: options.onProgress }),
      },
    )
    await gpu.finish()
    return { weights, peakHostBytes: report.peakHostBytes + QUEUED_BYTES }
  } catch (error) {
    weights.destroy()
    throw error
  }
}

function allocate(
  weights: WeightStore,
  name: string,
  entry: TensorEntry,
  model: OpenedModel,
  dtype: ModelDtype,
  towerDtype?: TowerDtype,
): Destination {
  const spec = model.specs[name]!
  const from = sourceDtype(entry.dtype, entry.name)
  const elementBytes = from === 'f32' ? 4 : 2
  if (spec.kind === 'vector') {
    return {
      dtype: from,
      rowBytes: entry.end - entry.start,
      weight: undefined,
      vector: weights.addVector(name, spec.shape, spec.within),
    }
  }
  const [rows, cols] = matrixShape(spec)
  const weight = weights.addMatrix(name, rows, cols, heldAs(name, spec, from, dtype, towerDtype), spec.within)
  return { dtype: from, rowBytes: cols * elementBytes, weight, vector: undefined }
}

/** Puts one piece on the GPU's queue: raw bytes up, then the kernel that packs them where they belong. */
function write(enc: Encoder, to: Destination, byteOffset: number, bytes: Uint8Array<ArrayBuffer>): void {
  const words = Math.ceil(bytes.length / 4)
  const raw = enc.temp([words], 'u32', 'raw weights')
  let whole = bytes
  if (bytes.length % 4) {
    whole = new Uint8Array(words * 4)
    whole.set(bytes)
  }
  enc.gpu.device.queue.writeBuffer(raw.buffer, raw.offset, whole)
  if (to.weight) {
    packRows(enc, to.weight, raw, {
      rowStart: byteOffset / to.rowBytes,
      rows: bytes.length / to.rowBytes,
      dtype: to.dtype,
    })
  } else {
    widen(enc, raw, to.dtype, bytes.length / (to.dtype === 'f32' ? 4 : 2), to.vector!)
  }
  enc.end()
}
