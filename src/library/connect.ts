import EngineWorker from '../worker/engine.worker?worker&inline'
import { connectEngine } from '../worker/client'
import type { Connect } from './trilobite'

/** An engine whose worker lies in this module, so that it starts on pages of any origin. */
export const connectInline: Connect = (onCrash) =>
  connectEngine(() => new EngineWorker({ name: 'trilobite-engine' }), onCrash)
