import type { ChatModel } from '../chat-model'
import type { OpenedModel } from '../checkpoint-files'
import { fingerprintFile } from '../checkpoint/fingerprint'
import type { CheckpointSource } from '../checkpoint/source'
import type { ImageProcessor } from '../image/processor'

interface WeightFile {
  readonly source: CheckpointSource
  readonly path: string
  readonly sizeBytes: number
}

/**
 * Tells each tower's features from any other's: by the files its weights lie in, how they are held, which output is taken,
 * and what is done to pictures before.
 */
export async function towerIdentities(
  { opened, plan }: Pick<ChatModel, 'opened' | 'plan'>,
  processors: readonly ImageProcessor[],
): Promise<string[]> {
  const towers = opened.blueprint.vision?.towers ?? []
  return Promise.all(
    towers.map(async ({ prefix, output }, i) => {
      const files = opened.externals.has(i)
        ? externalFiles(opened, i)
        : weightFiles(opened, (name) => name.startsWith(`${prefix}.`))
      return JSON.stringify([await fingerprints(files), output, plan.dtype, plan.towerDtype, processors[i]])
    }),
  )
}

/** Fingerprints of all files that a model's weights lie in. */
export function modelFingerprints(opened: OpenedModel): Promise<string[]> {
  const external = [...opened.externals.keys()].flatMap((tower) => externalFiles(opened, tower))
  return fingerprints([...weightFiles(opened, () => true), ...external])
}

const fingerprints = (files: readonly WeightFile[]) =>
  Promise.all(files.map(({ source, path, sizeBytes }) => fingerprintFile(source, path, sizeBytes)))

function externalFiles({ externals }: OpenedModel, tower: number): WeightFile[] {
  const { source, files } = externals.get(tower)!
  return files.map((file) => ({ source, ...file }))
}

/** Files that hold one of the parameters asked for. */
function weightFiles(
  { checkpoints, tensors }: OpenedModel,
  isWanted: (parameter: string) => boolean,
): WeightFile[] {
  const wanted = new Set([...tensors].filter(([name]) => isWanted(name)).map(([, entry]) => entry))
  return checkpoints.flatMap(({ source, files, tensors: held }) => {
    const paths = new Set([...held.values()].filter((entry) => wanted.has(entry)).map(({ file }) => file))
    return files.filter(({ path }) => paths.has(path)).map((file) => ({ source, ...file }))
  })
}
