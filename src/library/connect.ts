import { connectEngine } from '../worker/client'
import { startInlineWorker } from '../worker/start-inline-worker'
import type { Connect } from './trilobite'

/** An engine whose worker lies in this module, so that it starts on pages of any origin. */
export const connectInline: Connect = (onCrash) => connectEngine(startInlineWorker, onCrash)
