import type { LanguageModelSlot } from './definition'

/** Language models by the exact `model_type` of their config. */
export const languageModels = {
  llama: () => import('./llama').then((module) => module.llama),
  mistral: () => import('./mistral').then((module) => module.mistral),
  phi3: () => import('./phi3').then((module) => module.phi3),
  qwen2: () => import('./qwen2').then((module) => module.qwen2),
} satisfies Record<string, () => Promise<LanguageModelSlot>>
