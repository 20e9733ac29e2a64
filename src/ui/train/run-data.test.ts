import { describe, expect, test } from 'vitest'
import type { DatasetSource } from '../../worker/client'
import type { LoadTarget } from '../state/engine.svelte'
import { datasetBytes, keepable, liesBeside } from './run-data'

const file = (name: string, size: number) => new File([new Uint8Array(size)], name)
const files: DatasetSource = {
  kind: 'files',
  files: [
    { path: 'a/b.json', file: file('b.json', 30) },
    { path: 'a/c.png', file: file('c.png', 70) },
  ],
}

describe('what is kept of a run', () => {
  test('counts the bytes of every kind of data', () => {
    expect(datasetBytes(files)).toBe(100)
    expect(datasetBytes({ kind: 'zip', file: file('x.zip', 9) })).toBe(9)
    expect(datasetBytes({ kind: 'zip-url', url: 'x.zip', name: 'x' })).toBe(0)
    const image = new Blob(['1234'])
    expect(datasetBytes({ kind: 'pairs', name: 'x', pairs: [{ name: 'a', image, caption: '' }] })).toBe(4)
  })

  test('data up to the limit is kept, larger data is not', () => {
    expect(keepable(files, undefined, 100)).toEqual({ dataset: files })
    expect(keepable(files, undefined, 99)).toEqual({})
  })

  test('the model is kept without its token, and never with picked files', () => {
    const hub = { kind: 'hub', repo: 'a/b', token: 'secret' } as const
    const target: LoadTarget = { label: 'b', source: hub, options: { dtype: 'q8', base: hub } }
    const kept = keepable(files, target)
    expect(kept.target).toEqual({
      label: 'b',
      source: { kind: 'hub', repo: 'a/b' },
      options: { dtype: 'q8', base: { kind: 'hub', repo: 'a/b' } },
    })
    expect(JSON.stringify(kept.target)).not.toContain('secret')
    const picked: LoadTarget = {
      label: 'x',
      source: { kind: 'files', name: 'x', files: [] },
      options: { dtype: 'auto' },
    }
    expect(keepable(files, picked)).toEqual({ dataset: files })
  })

  test('a model beside the page may be loaded without asking, others not', () => {
    const page = 'https://x.example/app/'
    expect(liesBeside({ kind: 'url', baseUrl: 'https://x.example/app/models/a/' }, page)).toBe(true)
    expect(liesBeside({ kind: 'url', baseUrl: 'https://y.example/models/a/' }, page)).toBe(false)
    expect(liesBeside({ kind: 'hub', repo: 'a/b' }, page)).toBe(false)
  })
})
