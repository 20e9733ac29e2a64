import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Draft } from './draft.svelte'

const gif = (name: string, content: string) => new File(['GIF89a', content], name)

let revoked: string[]

beforeEach(() => {
  revoked = []
  vi.stubGlobal('createImageBitmap', async () => ({ width: 4, height: 3, close() {} }))
  vi.spyOn(URL, 'revokeObjectURL').mockImplementation((url) => void revoked.push(url))
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

test('the same picture twice is one picture, and the other’s object URL is revoked', async () => {
  const created = vi.spyOn(URL, 'createObjectURL')
  const draft = new Draft()
  expect(await draft.add([gif('cat.gif', 'cat'), gif('copy.gif', 'cat')])).toBe(1)
  expect(await draft.add([gif('dog.gif', 'dog'), gif('again.gif', 'cat')])).toBe(1)
  expect(draft.pictures.map(({ name }) => name)).toEqual(['cat.gif', 'dog.gif'])

  const urls = created.mock.results.map(({ value }) => value as string)
  const kept = draft.pictures.map(({ url }) => url)
  expect(urls).toHaveLength(4)
  expect(revoked.sort()).toEqual(urls.filter((url) => !kept.includes(url)).sort())
})

test('a removed picture’s object URL is revoked, one handed over keeps its own', async () => {
  const draft = new Draft()
  await draft.add([gif('cat.gif', 'cat'), gif('dog.gif', 'dog')])
  const [cat, dog] = draft.pictures
  draft.remove(cat!)
  expect(draft.take().pictures).toEqual([dog])
  expect(draft.pictures).toEqual([])
  expect(revoked).toEqual([cat!.url])
})
