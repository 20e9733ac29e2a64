import type { ByteStore } from './checkpoint/byte-store'
import type { OpenedModel } from './checkpoint-files'
import { keptSource, type KeptRun, type KeptSource } from './checkpoint/kept-source'
import type { StreamProgress } from './checkpoint/progress'
import { reasonOf } from './checkpoint/retry'
import type { CheckpointSource } from './checkpoint/source'

/** Opens the store of this device; undefined where there is none and none is missed. */
export type OpenByteStore = () => Promise<ByteStore | undefined>

type ProgressListener = (progress: StreamProgress) => void

/** A file of a model, or a part of one, that is in the store or on its way there. */
export interface KeptFile extends KeptRun {
  /** Name of its source. */
  readonly source: string
}

/**
 * Keeps the files of a model on this device, so that each is downloaded once: of towers that come and go all, of others
 * those whose hash is known, since one that changes within its size would not be noticed.
 */
export class FileKeeper {
  private store: Promise<ByteStore | undefined> | undefined
  private hasTold = false

  constructor(
    private readonly open: OpenByteStore,
    private readonly onNote: (note: string) => void,
    private readonly onFile: (file: KeptFile) => void = () => {},
  ) {}

  /** Lends the model with sources that keep what is read from them, until `load` is done. */
  async keep<T>(
    opened: OpenedModel,
    { onProgress, onlyHashed = false }: { onProgress: ProgressListener | undefined; onlyHashed?: boolean },
    load: (opened: OpenedModel, onProgress: ProgressListener | undefined) => Promise<T>,
  ): Promise<T> {
    this.store ??= this.open().catch((error: unknown) => void this.tell(reasonOf(error)))
    const store = await this.store
    if (!store) return load(opened, onProgress)

    const teller = new Teller(onProgress)
    const sources: KeptSource[] = []
    const kept = (source: CheckpointSource, files: OpenedModel['checkpoints'][number]['files']) => {
      const found = keptSource(source, {
        store,
        onlyHashed,
        onKeep: (run) => this.onFile({ source: source.name, ...run }),
        sizes: files.map(({ path, sizeBytes }) => [path, sizeBytes] as const),
        onStream: (isKept) => teller.begin(isKept),
        onTrouble: (reason) => this.tell(reason),
      })
      sources.push(found)
      return found
    }
    try {
      return await load(
        {
          ...opened,
          checkpoints: opened.checkpoints.map((checkpoint) => ({
            ...checkpoint,
            source: kept(checkpoint.source, checkpoint.files),
          })),
          externals: new Map(
            [...opened.externals].map(([tower, { source, files }]) => [
              tower,
              { files, source: kept(source, files) },
            ]),
          ),
        },
        (progress) => teller.tell(progress),
      )
    } finally {
      await Promise.all(sources.map((source) => source.settle()))
    }
  }

  private tell(reason: string): void {
    if (this.hasTold) return
    this.hasTold = true
    this.onNote(
      `Files of this model could not be kept on this device (${reason}). They are downloaded again whenever they are needed.`,
    )
  }
}

/** Adds to progress whether all bytes so far were kept ones; waits with the first of it until that is known. */
class Teller {
  private cached: boolean | undefined
  private waiting: StreamProgress | undefined

  constructor(private readonly onProgress: ProgressListener = () => {}) {}

  begin(isKept: boolean): void {
    this.cached = (this.cached ?? true) && isKept
    if (this.waiting) this.tell(this.waiting)
    this.waiting = undefined
  }

  tell(progress: StreamProgress): void {
    if (this.cached === undefined) this.waiting = progress
    else this.onProgress({ ...progress, cached: this.cached })
  }
}
