import type { LanguageModelSlot } from './definition'

/** Language models by the exact `model_type` of their config. */
export const languageModels = {
  llama: () => import('./llama').then((module) => module.llama),
  qwen2: () => import('./qwen2').then((module) => module.qwen2),
} satisfies Record<string, () => Promise<LanguageModelSlot>>
