import type { FamilySlot } from './definition'

const causalLm = () => import('./causal-lm').then((module) => module.causalLm)

/** Checkpoint layouts by the exact `model_type` of config.json. */
export const families = {
  llava_llama: () => import('./llava-original').then((module) => module.llavaOriginal),
  llava: () => import('./llava').then((module) => module.llava),
  llama: causalLm,
  mistral: causalLm,
  phi3: causalLm,
  qwen2: causalLm,
} satisfies Record<string, () => Promise<FamilySlot>>
