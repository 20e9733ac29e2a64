import type { FamilySlot } from './definition'

const cambrian = () => import('./cambrian').then((module) => module.cambrian)
const causalLm = () => import('./causal-lm').then((module) => module.causalLm)

/** Checkpoint layouts by the exact `model_type` of config.json. */
export const families = {
  llava_llama: () => import('./llava-original').then((module) => module.llavaOriginal),
  llava: () => import('./llava').then((module) => module.llava),
  cambrian_llama: cambrian,
  cambrian_phi3: cambrian,
  cambrian_mistral: cambrian,
  llama: causalLm,
  mistral: causalLm,
  phi3: causalLm,
  qwen2: causalLm,
} satisfies Record<string, () => Promise<FamilySlot>>
