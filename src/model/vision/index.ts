import type { VisionTowerSlot } from './definition'

/** Vision towers by the exact `model_type` of their config. Those of open_clip repositories: open-clip.ts. */
export const visionTowers = {
  clip_vision_model: () => import('./clip').then((module) => module.clip),
  siglip_vision_model: () => import('./siglip').then((module) => module.siglip),
  dinov2: () => import('./dinov2').then((module) => module.dinov2),
  convnext: () => import('./convnext').then((module) => module.convnext),
  onnx: () => import('./onnx').then((module) => module.onnx),
} satisfies Record<string, () => Promise<VisionTowerSlot>>
