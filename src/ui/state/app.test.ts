import { beforeEach, expect, test, vi } from 'vitest'
import type { DeviceReport, ModelInfo } from '../../worker/api'
import type { EngineClient } from '../../worker/client'
import { memoryStore } from '../chats/memory-store'
import { AppState } from './app.svelte'

/** A page whose engine loads when a test says so. */
function stage(overrides: Partial<EngineClient> = {}) {
  const client = {
    probe: async () => ({ ok: true }) as DeviceReport,
    load: vi.fn(async () => ({ model: 'tiny' }) as ModelInfo),
    runs: async () => [],
    watch: async () => {},
    dispose: () => {},
    ...overrides,
  } as unknown as EngineClient
  const alone = {
    tell: () => {},
    listen: () => {},
    answer: () => {},
    answers: async () => new Set<string>(),
    ended: async () => {},
  }
  const chats = { open: async () => memoryStore(), tabs: alone }
  const data = { load: async () => undefined, save: async () => {}, delete: async () => {} }
  return { app: new AppState(() => client, chats, data), client }
}

beforeEach(() => {
  vi.stubGlobal('navigator', { gpu: {}, onLine: true })
  vi.stubGlobal('isSecureContext', true)
  vi.stubGlobal('document', { baseURI: 'https://x.example/' })
})

test('who chose a model to train comes back to training', async () => {
  const { app } = stage()
  app.screen = 'train'
  app.screen = 'models'
  app.screen = 'models'
  await app.load()
  expect([app.screen, app.announcement, app.isFocusWanted]).toEqual(['train', 'Model ready', false])
})

test('who chose a model to chat with comes back to the chat', async () => {
  const { app } = stage()
  app.screen = 'train'
  app.screen = 'chat'
  app.screen = 'models'
  await app.load()
  expect([app.screen, app.isFocusWanted]).toEqual(['chat', true])
})

test('a model is loaded again where the visitor is', async () => {
  const { app } = stage()
  await app.load('bundled')
  expect(app.screen).toBe('chat')
  app.screen = 'train'
  await app.remedy('reload-model')
  expect([app.screen, app.engine.status]).toEqual(['train', 'ready'])
})

test('who went elsewhere while it was loaded stays there', async () => {
  let finish = (_model: ModelInfo) => {}
  const { app, client } = stage({
    load: vi.fn(() => new Promise<ModelInfo>((resolve) => (finish = resolve))),
  })
  app.screen = 'models'
  const loaded = app.load()
  await vi.waitFor(() => expect(client.load).toHaveBeenCalled())
  app.screen = 'train'
  finish({ model: 'tiny' } as ModelInfo)
  await loaded
  expect(app.screen).toBe('train')
})
