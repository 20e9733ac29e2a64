import { expect, test } from 'vitest'
import { IGNORED } from './definition'
import { expandAndCut } from './supervise'

const sample = (ids: number[], learnedFrom: number) => ({
  ids,
  labels: ids.map((id, i) => (i < learnedFrom ? IGNORED : id)),
})

test('pictures become rows that are not learned', () => {
  const { ids, labels, images, learned, unusable } = expandAndCut(
    sample([1, -200, 7, -200, 8, 9], 4),
    -200,
    [3, 2],
    64,
  )
  const picture = 0xffffff38
  expect([...ids]).toEqual([1, picture, picture, picture, 7, picture, picture, 8, 9])
  expect([...labels]).toEqual([...Array<number>(7).fill(IGNORED), 8, 9])
  expect(images).toEqual([
    { start: 1, rows: 3 },
    { start: 5, rows: 2 },
  ])
  expect(learned).toBe(2)
  expect(unusable).toBeUndefined()
})

test('a placeholder that is a token is repeated as it is', () => {
  const { ids, labels } = expandAndCut({ ids: [5, 3, 6], labels: [5, 3, 6] }, 3, [2], 64)
  expect([...ids]).toEqual([5, 3, 3, 6])
  expect([...labels]).toEqual([5, IGNORED, IGNORED, 6])
})

test('text behind the limit is cut, and what is left is learned', () => {
  const cut = expandAndCut(sample([1, -200, 7, 8, 9], 2), -200, [3], 6)
  expect([...cut.labels]).toEqual([IGNORED, IGNORED, IGNORED, IGNORED, 7, 8])
  expect(cut.ids).toHaveLength(6)
  expect(cut).toMatchObject({ learned: 2, images: [{ start: 1, rows: 3 }] })
  expect(cut.unusable).toBeUndefined()
})

test('the first token cannot be learned', () => {
  expect(expandAndCut(sample([4, 5], 0), -200, [], 8).learned).toBe(1)
  expect(expandAndCut(sample([4], 0), -200, [], 8).unusable).toBe('nothing in it is learned')
})

test.each([
  [
    'a cut picture',
    sample([1, -200, 7], 2),
    [3],
    3,
    'its picture ends at token 4, and samples are cut behind 3',
  ],
  ['a picture behind the limit', sample([1, 2, -200, 7], 1), [3], 2, 'its picture ends at token 5'],
  ['nothing left', sample([1, -200, 7], 2), [3], 4, 'nothing to learn is left of its 5 tokens, cut behind 4'],
  ['a missing picture', sample([1, -200, 7], 2), [], 64, 'its text has 1 place for a picture, and it has 0'],
  ['a picture too many', sample([1, 7], 1), [3], 64, 'its text has 0 places for pictures, and it has 1'],
  ['a row given up', { ...sample([1, 7], 2), masked: 'no counts' }, [], 64, 'no counts'],
] as const)('%s makes it unusable', (_, supervised, rows, maxTokens, reason) => {
  const { unusable, images, ids } = expandAndCut(supervised, -200, rows, maxTokens)
  expect(unusable).toContain(reason)
  for (const { start, rows } of images) expect(start + rows).toBeLessThanOrEqual(ids.length)
})
