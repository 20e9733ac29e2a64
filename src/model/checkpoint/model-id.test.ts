import { expect, test } from 'vitest'
import type { ModelSource } from '../../worker/api'
import { ConfigError } from '../errors'
import { parseModelId } from './model-id'
import { openSource } from './open-source'

test.each<[string, ModelSource]>([
  ['owner/name', { kind: 'hub', repo: 'owner/name' }],
  ['  llava-hf/llava-1.5-7b-hf ', { kind: 'hub', repo: 'llava-hf/llava-1.5-7b-hf' }],
  ['owner/name@v1.0', { kind: 'hub', repo: 'owner/name', revision: 'v1.0' }],
  ['owner/name@refs/pr/3', { kind: 'hub', repo: 'owner/name', revision: 'refs/pr/3' }],
  ['https://huggingface.co/owner/name', { kind: 'hub', repo: 'owner/name' }],
  ['https://hf.co/owner/name/', { kind: 'hub', repo: 'owner/name' }],
  ['https://huggingface.co/owner/name/tree/main', { kind: 'hub', repo: 'owner/name', revision: 'main' }],
  [
    'https://huggingface.co/owner/name/tree/refs%2Fpr%2F1?not-for-all-audiences=true',
    { kind: 'hub', repo: 'owner/name', revision: 'refs/pr/1' },
  ],
  [
    'https://huggingface.co/owner/name/resolve/v2/model.safetensors?download=true',
    { kind: 'hub', repo: 'owner/name', revision: 'v2' },
  ],
  [
    'https://huggingface.co/owner/name/blob/main/config.json',
    { kind: 'hub', repo: 'owner/name', revision: 'main' },
  ],
  [
    'https://huggingface.co/owner/name/tree/main/sub',
    { kind: 'url', baseUrl: 'https://huggingface.co/owner/name/resolve/main/sub/' },
  ],
  [
    'https://huggingface.co/owner/name/resolve/main/a%20b/config.json',
    { kind: 'url', baseUrl: 'https://huggingface.co/owner/name/resolve/main/a%20b/' },
  ],
  ['http://localhost:8000/models/x', { kind: 'url', baseUrl: 'http://localhost:8000/models/x/' }],
  ['https://example.org/huggingface.co/a', { kind: 'url', baseUrl: 'https://example.org/huggingface.co/a/' }],
])('%s', (text, want) => {
  const location = parseModelId(text)
  expect(location).toEqual(want)
  expect(openSource(location).name).not.toBe('')
})

test.each([
  '',
  'name',
  './folder/name',
  '/home/me/model',
  'a/b/c',
  'owner/name@',
  'ftp://host/x',
  'C:\\models\\x',
  'https://',
  'https://huggingface.co/',
  'https://huggingface.co/owner',
  'https://huggingface.co/datasets/owner/name',
  'https://huggingface.co/spaces/owner',
  'https://huggingface.co/owner/name/discussions/1',
  'https://huggingface.co/owner/name/tree',
  'https://huggingface.co/%E0%A4%A/x',
  'https://user:secret@huggingface.co/owner/name',
  'https://example.org/model?token=secret',
])('%j is refused', (text) => {
  expect(() => parseModelId(text)).toThrow(ConfigError)
  expect(() => parseModelId(text)).not.toThrow('secret')
})

test('the error lists the forms', () => {
  expect(() => parseModelId('name')).toThrow(
    /owner\/name, owner\/name@revision, a URL .* config\.json; got "name"/,
  )
})
