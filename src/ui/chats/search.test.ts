import { describe, expect, test } from 'vitest'
import { SearchIndex, snippetOf, wordsOf } from './search'

function stage(chats: Record<string, [title: string, ...texts: string[]]>) {
  const index = new SearchIndex()
  const heads = Object.entries(chats).map(([id, [title, ...texts]]) => {
    index.put(id, texts)
    return { id, title }
  })
  const found = (query: string) => index.find(heads, wordsOf(query)).map(({ id }) => id)
  return { index, heads, found }
}

test('every word must be there, in the title or in what was said', () => {
  const { found } = stage({
    frog: ['A green thing', 'What is it?', 'It is a frog.'],
    bird: ['A bird', 'Which one?', 'A green finch.'],
  })
  expect(found('green')).toEqual(['frog', 'bird'])
  expect(found('green frog')).toEqual(['frog'])
  expect(found('finch bird')).toEqual(['bird'])
  expect(found('fro')).toEqual(['frog'])
  expect(found('toad')).toEqual([])
  expect(found('  ')).toEqual(['frog', 'bird'])
})

test.each([
  ['cafe', 'Café'],
  ['CAFÉ', 'cafe'],
  ['uber', 'Über'],
  ['Å', 'å'],
  ['星', '红色的星星'],
  ['한', '한국'],
  ['1', '①'],
])('%s finds %s', (query, text) => expect(stage({ a: ['', text] }).found(query)).toEqual(['a']))

test('patterns are words like others', () => {
  const { found } = stage({ a: ['', 'a.b (c) [d] \\ e*'], b: ['', 'axb'] })
  for (const query of ['a.b', '(c)', '[d]', '\\', 'e*']) expect(found(query), query).toEqual(['a'])
})

test('a chat that is forgotten or changed is found by what it says now', () => {
  const { index, found } = stage({ a: ['', 'frog'] })
  index.put('a', ['bird'])
  expect([found('frog'), found('bird')]).toEqual([[], ['a']])
  index.delete('a')
  expect(found('bird')).toEqual([])
})

describe('snippets', () => {
  test('show what was found as it is written, amid what surrounds it', () => {
    const { index } = stage({ a: ['', 'What is it?', `${'so '.repeat(20)}the\nCafé was\n\nopen`] })
    expect(index.snippet('a', wordsOf('cafe'))).toEqual({
      before: '…so so so so so so the ',
      match: 'Café',
      after: ' was open',
    })
  })

  test('come from the text that has all words', () => {
    const { index } = stage({ a: ['', 'a red star', 'a red circle'] })
    expect(index.snippet('a', wordsOf('red circle'))).toEqual({
      before: 'a ',
      match: 'red',
      after: ' circle',
    })
  })

  test('are none where the title alone has the words', () => {
    expect(stage({ a: ['frog', 'bird'] }).index.snippet('a', ['frog'])).toBeUndefined()
  })

  test.each([
    ['ﬁx the ﬁne star', 'star', 'star'],
    ['한국 한국어 별', '별', '별'],
    ['👩‍👧 e\u0301te\u0301 ici', 'ete', 'e\u0301te\u0301'],
    ['a ﬁne day', 'fi', 'ﬁ'],
    ['İstanbul', 'istan', 'İstan'],
  ])('in %j %s is %j', (text, query, match) => expect(snippetOf(text, wordsOf(query))?.match).toBe(match))
})

test('a thousand long chats are searched within a tenth of a second', () => {
  const words = 'a medium orange star stands at the bottom left of a large red circle in the middle '
  const chats = Array.from({ length: 1000 }, (_, i): [string, [string, ...string[]]] => [
    `chat ${i}`,
    [`Question number ${i}`, ...Array.from({ length: 20 }, (_, turn) => `${words.repeat(6)}${i}-${turn}`)],
  ])
  const { index, heads } = stage(Object.fromEntries(chats))
  const elapsed = ['x', 'orange', 'orange 999-19', 'nowhere to be found'].map((query) => {
    // The shortest of several was not interrupted.
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now()
      const found = index.find(heads, wordsOf(query))
      // The rows in sight.
      for (const { id } of found.slice(0, 20)) index.snippet(id, wordsOf(query))
      return performance.now() - started
    })
    return Math.min(...times)
  })
  expect(Math.max(...elapsed)).toBeLessThan(100)
})
