import { elementCount, kvCacheBytes, weightBytes, type Capabilities } from '../kernels'
import type { OpenedModel } from './checkpoint-files'
import { PREFILL_ROWS } from './generate'
import { matrixShape } from './parameters'
import { heldAs, resolveDtype, sourceDtype, type ModelDtype, type RequestedDtype } from './precision'

/** Tokens a conversation may hold where nobody asks for more; the model's own limit where that is less. */
const DEFAULT_CONTEXT = 4096

/** What a model takes on a device, known before any weight is fetched. Units: bytes. */
export interface MemoryPlan {
  readonly dtype: ModelDtype
  readonly contextLength: number
  readonly kvDtype: 'f32' | 'f16'
  readonly parameters: number
  readonly gpuBytes: {
    readonly vision: number
    readonly connector: number
    readonly language: number
    readonly kvCache: number
    readonly activations: number
    readonly total: number
  }
  readonly budgetBytes: number
  readonly fits: boolean
  readonly advice: string | undefined
}

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
  options: { dtype: RequestedDtype; contextLength?: number | undefined },
): MemoryPlan {
  const { specs, tensors, blueprint } = model
  let parameters = 0
  let is32Bit = false
  for (const [name, entry] of tensors) {
    parameters += elementCount(specs[name]!.shape)
    if (specs[name]!.kind !== 'vector' && entry.dtype === 'F32') is32Bit = true
  }
  const budgetBytes = memoryBudget(caps)
  const dtype = resolveDtype(options.dtype, { parameters, is32Bit }, budgetBytes)
  const language = blueprint.language.config
  const kvDtype = dtype === 'f32' ? 'f32' : 'f16'
  const kvRowBytes = language.kvHeads * language.headDim * (kvDtype === 'f32' ? 4 : 2)
  const contextLength = Math.min(
    options.contextLength ?? DEFAULT_CONTEXT,
    language.maxPositions,
    // A layer's keys are one binding.
    Math.floor(caps.maxBindingBytes / kvRowBytes),
  )

  const parts = { vision: 0, connector: 0, language: 0 }
  for (const [name, entry] of tensors) {
    const spec = specs[name]!
    const part = name.slice(0, name.indexOf('.')) as keyof typeof parts
    const held = heldAs(name, spec, sourceDtype(entry.dtype, entry.name), dtype)
    const [rows, cols] = matrixShape(spec)
    parts[part] += spec.kind === 'vector' ? elementCount(spec.shape) * 4 : weightBytes(rows, cols, held)
  }
  const { kvHeads, headDim } = language
  const kvCache =
    language.layers * kvCacheBytes({ capacity: contextLength, kvHeads, headDim, dtype: kvDtype })
  const activations = activationBytes(model)
  const total = parts.vision + parts.connector + parts.language + kvCache + activations
  const fits = total <= budgetBytes
  return {
    dtype,
    contextLength,
    kvDtype,
    parameters,
    gpuBytes: { ...parts, kvCache, activations, total },
    budgetBytes,
    fits,
    advice: fits ? undefined : advise(dtype, total, budgetBytes),
  }
}

/** Temporaries of the widest step: about ten rows of the width and three of the MLP, a prompt chunk or a picture at a time. */
function activationBytes({ blueprint, specs }: OpenedModel): number {
  const widest = (prefix: string) =>
    Math.max(
      0,
      ...Object.entries(specs)
        .filter(([name, { kind }]) => kind === 'matrix' && name.startsWith(prefix))
        .map(([, spec]) => spec.shape[0]!),
    )
  const { language, vision } = blueprint
  const text =
    PREFILL_ROWS * (10 * language.config.hiddenSize + 3 * widest('language.')) * 4 +
    language.config.vocabSize * 8
  if (!vision) return text
  const rows = vision.tower.config.patchTokens + 1
  return Math.max(text, rows * (10 * vision.tower.config.hiddenSize + 2 * widest('vision.')) * 4)
}

function advise(dtype: ModelDtype, total: number, budget: number): string {
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`
  const smaller = { f32: 'f16', f16: 'q8', q8: 'q4', q4: undefined }[dtype]
  const next = smaller
    ? `Choose dtype ${dtype === 'q8' ? 'q4' : `${smaller} or q4`} or a shorter context.`
    : 'Choose a smaller model or a shorter context.'
  return `Needs about ${gib(total)} of GPU memory; this device is taken to have ${gib(budget)}. ${next}`
}
