import { beforeEach, expect, test, vi } from 'vitest'
import type { DeviceReport } from '../../worker/api'
import type { EngineClient } from '../../worker/client'
import { Session } from './session.svelte'

beforeEach(() => {
  vi.stubGlobal('navigator', { gpu: {}, onLine: true })
  vi.stubGlobal('isSecureContext', true)
  vi.stubGlobal('document', { baseURI: 'https://x.example/' })
})

function stage() {
  const client = {
    probe: async () => ({ ok: false }) as DeviceReport,
    watch: async () => {},
    abort: async () => {},
    dispose: () => {},
  } as unknown as EngineClient
  const keep = { read: () => undefined, write: () => {} }
  return new Session({ connect: () => client, keep })
}

test('texts follow the language and a page’s own words', () => {
  const session = stage()
  expect(session.texts.composer.send).toBe('Send')
  session.language = 'es'
  expect(session.texts.composer.send).toBe('Enviar')
  session.overrides = { composer: { send: 'Mandar' } }
  expect([session.texts.composer.send, session.texts.composer.ask]).toEqual(['Mandar', 'Su pregunta'])
})

test('every part of a session speaks the session’s language', async () => {
  const session = stage()
  session.language = 'de'
  await session.engine.probe()
  expect(session.engine.problem?.title).toBe('Es wurde keine brauchbare GPU gefunden.')
  session.models.endpoint = 'nowhere'
  expect(session.models.endpointProblem).toContain('ist keine Adresse')
  await session.draft.add([new File([], 'leer.png')])
  expect(session.draft.notice).toBe('leer.png ist leer. Wählen Sie ein anderes Bild.')
  await session.newChat()
  expect(session.announcement).toBe('Neuer Chat')
})
