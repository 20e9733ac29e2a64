import { elementCount, kvCacheBytes, weightBytes, type Capabilities } from '../kernels'
import type { OpenedModel } from './checkpoint-files'
import { PREFILL_ROWS } from './generate'
import { matrixShape } from './parameters'
import { pictureCost, widestMatrix, type PictureCost } from './picture-cost'
import {
  heldAs,
  resolveDtype,
  sourceDtype,
  type ModelDtype,
  type RequestedDtype,
  type TowerDtype,
} from './precision'

/** Tokens a conversation may hold where nobody asks for more; the model's own limit where that is less. */
const DEFAULT_CONTEXT = 4096

/** What a model takes on a device, known before any weight is fetched. Units: bytes. */
export interface MemoryPlan {
  readonly dtype: ModelDtype
  readonly contextLength: number
  readonly kvDtype: 'f32' | 'f16'
  readonly parameters: number
  readonly towerDtype: TowerDtype
  readonly towers: readonly TowerPlan[]
  readonly gpuBytes: {
    /** Towers that stay, and the largest of those that come and go. */
    readonly vision: number
    readonly connector: number
    readonly language: number
    readonly kvCache: number
    readonly activations: number
    readonly total: number
  }
  /** One for each tower. */
  readonly pictureCosts: readonly PictureCost[]
  readonly budgetBytes: number
  /** What the budget leaves beside all that. */
  readonly spareBytes: number
  /** Pictures of earlier turns and chats that may stay encoded beside all that. */
  readonly keptPictureBytes: number
  readonly fits: boolean
  readonly advice: string | undefined
}

/** What becomes of one vision tower. Units: bytes. */
export interface TowerPlan {
  readonly name: string
  readonly parameters: number
  readonly gpuBytes: number
  /** As stored: what is read anew for each question with new pictures where the tower does not stay. */
  readonly fileBytes: number
  /** Stays on the GPU; otherwise it is fetched for each question with new pictures and freed behind it. */
  readonly resident: boolean
}

/** Encoded pictures of earlier turns and chats, at most. */
const KEPT_PICTURE_BYTES = 256 * 2 ** 20

/**
 * What a model quantised to fit may take where nobody says more: towers beyond it are fetched for each question. A
 * laptop with 8 GB of memory shared by CPU and GPU has about this much to give.
 */
const SMALL_BUDGET_BYTES = 6e9

/**
 * GPU memory a page may count on.
 *
 * Browsers do not tell how much there is; the largest buffer a device offers comes in tiers that follow it roughly
 * (Dawn: 256 MiB, 1, 2, 4 GiB), so four such buffers are taken as the budget.
 */
export const memoryBudget = (caps: Capabilities) => Math.min(4 * caps.maxBufferBytes, 16 * 2 ** 30)

/** Plans a model for a device. */
export function planMemory(
  model: OpenedModel,
  caps: Capabilities,
  options: {
    dtype: RequestedDtype
    contextLength?: number | undefined
    /** GPU memory the model may take; default: what the device is taken to have. */
    memoryBytes?: number | undefined
  },
): MemoryPlan {
  const { specs, tensors, blueprint } = model
  let parameters = 0
  let is32Bit = false
  for (const [name, entry] of tensors) {
    parameters += elementCount(specs[name]!.shape)
    if (specs[name]!.kind !== 'vector' && entry.dtype === 'F32') is32Bit = true
  }
  const budgetBytes = Math.min(memoryBudget(caps), options.memoryBytes ?? Infinity)
  const dtype = resolveDtype(options.dtype, { parameters, is32Bit }, budgetBytes)
  const language = blueprint.language.config
  const kvDtype = dtype === 'f32' ? 'f32' : 'f16'
  const kvRowBytes = language.kvHeads * language.headDim * (kvDtype === 'f32' ? 4 : 2)
  const contextLength = Math.min(
    options.contextLength ?? Math.min(DEFAULT_CONTEXT, blueprint.contextLength ?? Infinity),
    language.maxPositions,
    // A layer's keys are one binding.
    Math.floor(caps.maxBindingBytes / kvRowBytes),
  )

  const { kvHeads, headDim } = language
  const kvCache =
    language.layers * kvCacheBytes({ capacity: contextLength, kvHeads, headDim, dtype: kvDtype })
  const pictureCosts = (blueprint.vision?.towers ?? []).map((tower) => pictureCost(tower, specs))
  const activations = activationBytes(model, pictureCosts)
  const { parts, towers: f16Towers } = sizesOf(model, dtype, 'f16')
  const rest = parts.connector + parts.language + kvCache + activations
  const isSmall = dtype === 'q8' || dtype === 'q4'
  const towerBudget =
    options.memoryBytes ?? (isSmall ? Math.min(budgetBytes, SMALL_BUDGET_BYTES) : budgetBytes)
  const fits = (towers: readonly TowerSize[]) =>
    rest + keepTowers(towers, towerBudget - rest).peakBytes <= towerBudget
  const q8Towers = isSmall && !fits(f16Towers) ? sizesOf(model, dtype, 'q8').towers : f16Towers
  // Where neither fits there is nothing to gain from fewer bits.
  const towerDtype = q8Towers !== f16Towers && fits(q8Towers) ? 'q8' : 'f16'
  const towers = towerDtype === 'q8' ? q8Towers : f16Towers
  const kept = keepTowers(towers, towerBudget - rest)
  const vision = kept.peakBytes
  const total = rest + vision
  const isWithin = total <= budgetBytes
  const spareBytes = Math.max(0, towerBudget - total)
  return {
    dtype,
    contextLength,
    kvDtype,
    parameters,
    towerDtype,
    towers: towers.map((tower, i) => ({ ...tower, resident: kept.resident[i]! })),
    gpuBytes: { vision, ...parts, kvCache, activations, total },
    pictureCosts,
    budgetBytes,
    spareBytes,
    keptPictureBytes: Math.min(KEPT_PICTURE_BYTES, spareBytes),
    fits: isWithin,
    advice: isWithin ? undefined : advise(dtype, total, budgetBytes),
  }
}

/** Temporaries of the widest step: about ten rows of the width and three of the MLP of a prompt chunk, or one picture. */
function activationBytes({ blueprint, specs }: OpenedModel, pictureCosts: readonly PictureCost[]): number {
  const { language, vision } = blueprint
  const text =
    PREFILL_ROWS * (10 * language.config.hiddenSize + 3 * widestMatrix(specs, 'language.')) * 4 +
    language.config.vocabSize * 8
  if (!vision) return text
  // What a connector keeps of every tower's map, for two pictures.
  const kept = vision.towers.reduce((sum, { tower, tokens }) => sum + (tokens ?? tower.config.patchTokens), 0)
  return (
    Math.max(text, ...pictureCosts.map((cost) => cost.activationBytes)) +
    kept * vision.connector.keptWidth * 4 * 2
  )
}

type TowerSize = Omit<TowerPlan, 'resident'>

/** Bytes of the parts as they would be held. */
function sizesOf(
  { specs, tensors, blueprint, externals }: OpenedModel,
  dtype: ModelDtype,
  towerDtype: TowerDtype,
): { parts: { connector: number; language: number }; towers: TowerSize[] } {
  const parts = { connector: 0, language: 0 }
  const towers = (blueprint.vision?.towers ?? []).map(({ name, prefix }, i) => {
    // Another engine keeps its weights much as they are stored.
    const fileBytes = (externals.get(i)?.files ?? []).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    return { prefix: `${prefix}.`, size: { name, parameters: 0, gpuBytes: fileBytes, fileBytes } }
  })
  for (const [name, entry] of tensors) {
    const spec = specs[name]!
    const held = heldAs(name, spec, sourceDtype(entry.dtype, entry.name), dtype, towerDtype)
    const [rows, cols] = matrixShape(spec)
    const bytes = spec.kind === 'vector' ? elementCount(spec.shape) * 4 : weightBytes(rows, cols, held)
    const tower = towers.find(({ prefix }) => name.startsWith(prefix))?.size
    if (tower) {
      tower.parameters += elementCount(spec.shape)
      tower.gpuBytes += bytes
      tower.fileBytes += entry.end - entry.start
    } else {
      parts[name.startsWith('language.') ? 'language' : 'connector'] += bytes
    }
  }
  return { parts, towers: towers.map(({ size }) => size) }
}

/** Keeps as many towers as fit, the smallest first; of the others the largest must fit beside them. */
function keepTowers(
  towers: readonly TowerSize[],
  budget: number,
): { resident: boolean[]; peakBytes: number } {
  const bytes = towers.map(({ gpuBytes }) => gpuBytes)
  const resident = bytes.map(() => false)
  const peak = () =>
    bytes.reduce((sum, size, i) => sum + (resident[i] ? size : 0), 0) +
    Math.max(0, ...bytes.filter((_, i) => !resident[i]))
  if (bytes.reduce((sum, size) => sum + size, 0) <= budget || bytes.length < 2) {
    resident.fill(true)
    return { resident, peakBytes: peak() }
  }
  const order = [...bytes.keys()].sort((a, b) => bytes[a]! - bytes[b]!)
  for (const i of order) {
    resident[i] = true
    if (peak() > budget) resident[i] = false
  }
  return { resident, peakBytes: peak() }
}

function advise(dtype: ModelDtype, total: number, budget: number): string {
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  const smaller = { f32: 'f16', f16: 'q8', q8: 'q4', q4: undefined }[dtype]
  const next = smaller
    ? `Choose dtype ${dtype === 'q8' ? 'q4' : `${smaller} or q4`} or a shorter context.`
    : 'Choose a smaller model or a shorter context.'
  return `Needs about ${gib(total)} of GPU memory; this device is taken to have ${gib(budget)}. ${next}`
}
