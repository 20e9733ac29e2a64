import type { VisionTowerSlot } from './definition'

/** Vision towers by the exact `model_type` of their config. */
export const visionTowers = {
  clip_vision_model: () => import('./clip').then((module) => module.clip),
  siglip_vision_model: () => import('./siglip').then((module) => module.siglip),
} satisfies Record<string, () => Promise<VisionTowerSlot>>
