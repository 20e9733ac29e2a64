import type { Gpu } from '../kernels'
import type { ChatModel } from '../model/chat-model'
import { filesToFetch, type OpenedModel } from '../model/checkpoint-files'
import { planMemory } from '../model/plan'
import type { LoadOptions, LocalModelInfo, ModelPlan } from './api'

/** What loading would take. */
export function describePlan(opened: OpenedModel, gpu: Gpu, options: LoadOptions): ModelPlan {
  const plan = planMemory(opened, gpu.caps, options)
  const { blueprint, source } = opened
  const files = filesToFetch(opened)
  return {
    model: source.name,
    architecture: blueprint.architecture,
    dtype: plan.dtype,
    files,
    downloadBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    gpuBytes: plan.gpuBytes,
    towers: plan.towers.map((tower) => ({ ...tower })),
    fits: plan.fits,
    ...(plan.advice !== undefined && { advice: plan.advice }),
    contextLength: plan.contextLength,
    imageTokens: blueprint.vision?.imageTokens ?? 0,
    parameters: plan.parameters,
  }
}

/** What was loaded. */
export function describeModel(
  { opened, plan, vlm, peakHostBytes, files, notes }: ChatModel,
  gpu: Gpu,
  loadMs: number,
): LocalModelInfo {
  const { blueprint, source } = opened
  return {
    model: source.name,
    architecture: blueprint.architecture,
    dtype: plan.dtype,
    parameters: plan.parameters,
    contextLength: plan.contextLength,
    imageTokens: blueprint.vision?.imageTokens ?? 0,
    acceptsImages: blueprint.vision !== undefined,
    towers: vlm.connector?.shares ? plan.towers.map(({ name }) => name) : [],
    gpuBytes: gpu.allocatedBytes,
    peakHostBytes,
    loadMs,
    files: [...files],
    notes: [...notes],
  }
}
