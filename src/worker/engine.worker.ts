import { expose } from 'comlink'
import { webCodecLoader } from '../model/image/codecs-web'
import { Engine } from './engine'
import { answerHashRequests, HASH_WORKER, startHashInWorker } from './hash-threads'
import { openModelIndex } from './model-index'
import { openOpfsRuns } from './opfs-runs'
import { openOpfsStore } from './opfs-store'
import { wholeContract } from './surface'

const { storage } = navigator
/** Begins the names of locks; the run's id follows. */
const RUN_LOCK = 'trilobite-run-'

if (self.name === HASH_WORKER) void answerHashRequests(self)
else {
  expose(
    wholeContract(
      new Engine({
        gpu: navigator.gpu,
        imageCodecs: webCodecLoader,
        onnx: () => import('./onnx-web').then((module) => module.webOnnxRuntime),
        modelStore: () => openOpfsStore(storage),
        modelIndex: openModelIndex(),
        startHash: startHashInWorker,
        runs: () => openOpfsRuns(storage),
        lockRun: (run) => holdLock(RUN_LOCK + run),
        lockedRuns,
        featureStore: () => openOpfsStore(storage, 'trilobite-features'),
        tuning: { store: () => openOpfsStore(storage, 'trilobite-tuning') },
      }),
    ),
  )
}

/** Locked runs of all tabs. */
async function lockedRuns(): Promise<ReadonlySet<string>> {
  const { held = [] } = await navigator.locks.query()
  return new Set(
    held.flatMap(({ name = '' }) => (name.startsWith(RUN_LOCK) ? [name.slice(RUN_LOCK.length)] : [])),
  )
}

/** A lock that other tabs see; undefined where one of them has it. */
function holdLock(name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(undefined)
        return new Promise<void>((release) => resolve(() => release()))
      })
      .catch(reject)
  })
}
