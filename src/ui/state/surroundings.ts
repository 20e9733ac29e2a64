import type { Surroundings } from '../text/explain'

/** What this browser is like right now. */
export function surroundings(): Surroundings {
  return {
    hasWebGpu: 'gpu' in navigator,
    isSecureContext: globalThis.isSecureContext,
    isOnline: navigator.onLine,
  }
}
