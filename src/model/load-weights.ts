import { Encoder, uploadRows, uploadVector, type Arena, type Gpu, type Tensor, type Weight } from '../kernels'
import type { OpenedModel } from './checkpoint-files'
import type { StartHash } from './checkpoint/hasher'
import type { StreamProgress } from './checkpoint/progress'
import type { TensorEntry } from './checkpoint/safetensors'
import { streamTensors, type StreamReport } from './checkpoint/stream-tensors'
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

export interface LoadOptions {
  readonly towerDtype?: TowerDtype | undefined
  /** Parameters to load; default: all. */
  readonly only?: ((name: string) => boolean) | undefined
}

export interface StreamWeightsOptions {
  /** Default: the model's own; others have the same files elsewhere. */
  readonly checkpoints?: OpenedModel['checkpoints'] | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: StreamProgress) => void) | undefined
  readonly startHash?: StartHash | undefined
}

/** Weights that have their place on the GPU, and zeros in it until they are streamed. */
export class AllocatedWeights {
  private constructor(
    readonly weights: WeightStore,
    private readonly gpu: Gpu,
    private readonly model: OpenedModel,
    private readonly destinations: ReadonlyMap<TensorEntry, Destination>,
  ) {}

  /** Throws: OutOfMemoryError; nothing stays allocated then. */
  static async allocate(
    gpu: Gpu,
    model: OpenedModel,
    dtype: ModelDtype,
    { towerDtype, only }: LoadOptions = {},
  ): Promise<AllocatedWeights> {
    const weights = new WeightStore(gpu)
    try {
      const destinations = new Map<TensorEntry, Destination>()
      gpu.allOrNone(() => {
        for (const [name, entry] of model.tensors) {
          if (only && !only(name)) continue
          destinations.set(entry, allocate(weights, name, entry, model, dtype, towerDtype))
        }
      })
      for (const [name, owner] of Object.entries(model.tied)) {
        if (!only || only(owner)) weights.tie(name, owner)
      }
      await gpu.check()
      return new AllocatedWeights(weights, gpu, model, destinations)
    } catch (error) {
      weights.destroy()
      throw error
    }
  }

  /**
   * Streams every weight to the GPU, converting or quantising it there. The host holds a few blocks at a time, whatever the
   * model's size. The weights are good once the promise resolves: what has a hash is checked by then.
   *
   * Throws: CheckpointError, NetworkError, AbortError, OutOfMemoryError.
   */
  async stream(arena: Arena, options: StreamWeightsOptions = {}): Promise<StreamReport> {
    const { gpu, model, destinations } = this
    const enc = new Encoder(gpu, arena, 'load')
    let queuedBytes = 0
    const report = await streamTensors(
      options.checkpoints ?? model.checkpoints,
      {
        chunkBytes: (entry) => {
          const to = destinations.get(entry)
          if (!to) return undefined
          return to.weight
            ? Math.max(1, Math.floor(PIECE_BYTES / to.rowBytes)) * to.rowBytes
            : entry.end - entry.start
        },
        write: async (entry, byteOffset, bytes) => {
          const { weight, vector, dtype, rowBytes } = destinations.get(entry)!
          if (weight) {
            const rows = { rowStart: byteOffset / rowBytes, rows: bytes.length / rowBytes, dtype }
            uploadRows(enc, weight, bytes, rows)
          } else uploadVector(enc, vector!, bytes, dtype)
          queuedBytes += bytes.length
          if (queuedBytes >= QUEUED_BYTES) {
            queuedBytes = 0
            await gpu.finish()
          }
        },
      },
      {
        startHash: options.startHash,
        ...(options.signal && { signal: options.signal }),
        ...(options.onProgress && { onProgress: options.onProgress }),
      },
    )
    await gpu.finish()
    return { ...report, peakHostBytes: report.peakHostBytes + QUEUED_BYTES }
  }
}

/**
 * Allocates weights and streams them.
 *
 * Throws: CheckpointError, NetworkError, AbortError, OutOfMemoryError; nothing stays allocated then.
 */
export async function loadWeights(
  gpu: Gpu,
  arena: Arena,
  model: OpenedModel,
  dtype: ModelDtype,
  options: LoadOptions & StreamWeightsOptions = {},
): Promise<WeightStore> {
  const allocated = await AllocatedWeights.allocate(gpu, model, dtype, options)
  try {
    await allocated.stream(arena, options)
    return allocated.weights
  } catch (error) {
    allocated.weights.destroy()
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
