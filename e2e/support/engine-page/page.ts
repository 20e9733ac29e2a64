// The page of e2e/kept-towers.spec.ts: the engine in its worker, without the assistant around it.

import type { AskEvent, LoadOptions, ModelSource, Reply } from '../../../src/worker/api'
import { connectEngine } from '../../../src/worker/client'
import { startEngineWorker } from '../../../src/worker/start-worker'

const engine = connectEngine(startEngineWorker, (error) => console.error(error.message))

export interface EnginePage {
  load(source: ModelSource, options: LoadOptions): Promise<void>
  /** Asks greedily about a picture, given as base64. */
  ask(
    id: string,
    picture: string,
    text: string,
    maxNewTokens: number,
  ): Promise<{ reply: Reply; events: AskEvent[] }>
}

const page: EnginePage = {
  async load(source, options) {
    await engine.load(source, options, () => {})
  },
  async ask(id, picture, text, maxNewTokens) {
    const blob = new Blob([Uint8Array.from(atob(picture), (char) => char.charCodeAt(0))])
    const sampling = { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 }
    const messages = [{ role: 'user' as const, text, images: [{ id, blob }] }]
    const events: AskEvent[] = []
    const reply = await engine.ask({ messages, sampling, maxNewTokens }, (event) => events.push(event))
    return { reply, events }
  },
}

Object.assign(globalThis, { enginePage: page })
