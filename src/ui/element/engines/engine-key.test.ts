import { expect, test } from 'vitest'
import type { LoadOptions, ModelSource } from '../../../worker/api'
import { modelKey } from './engine-key'

const hub: ModelSource = { kind: 'hub', repo: 'a/b' }
const options: LoadOptions = { dtype: 'q8' }
const files = [{ path: 'config.json', file: new File([], 'config.json') }]

test('the order of names and what is undefined make no difference', () => {
  expect(
    modelKey({ repo: 'a/b', kind: 'hub', revision: undefined }, { template: undefined, dtype: 'q8' }),
  ).toBe(modelKey(hub, options))
  expect(modelKey(hub, { contextLength: 9, dtype: 'q8' })).toBe(
    modelKey(hub, { dtype: 'q8', contextLength: 9 }),
  )
})

test('tokens make no difference and are not in it', () => {
  const key = modelKey({ ...hub, token: 'secret' }, { ...options, base: { ...hub, token: 'other' } })
  expect(key).toBe(modelKey(hub, { ...options, base: hub }))
  expect(key).not.toMatch(/secret|other/)
})

test.each<[string, ModelSource, LoadOptions]>([
  ['repository', { kind: 'hub', repo: 'a/c' }, options],
  ['revision', { ...hub, revision: 'v2' }, options],
  ['kind', { kind: 'url', baseUrl: 'a/b' }, options],
  ['dtype', hub, { dtype: 'q4' }],
  ['context', hub, { ...options, contextLength: 9 }],
  ['template', hub, { ...options, template: 'chatml' }],
  ['base', hub, { ...options, base: hub }],
  ['memory', hub, { ...options, memoryBytes: 1 }],
])('another %s is another model', (_, source, other) => {
  expect(modelKey(source, other)).not.toBe(modelKey(hub, options))
})

test('files are the same where their array is', () => {
  const source: ModelSource = { kind: 'files', name: 'mine', files }
  expect(modelKey({ ...source }, options)).toBe(modelKey(source, options))
  expect(modelKey({ ...source, files: [...files] }, options)).not.toBe(modelKey(source, options))
  expect(modelKey(hub, { ...options, base: { ...source, files: [...files] } })).not.toBe(
    modelKey(hub, { ...options, base: source }),
  )
})
