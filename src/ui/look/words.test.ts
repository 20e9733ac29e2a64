import { expect, test } from 'vitest'
import { alignWords, segmentWords, wordsOf, type Piece } from './words'

const pieces = (...texts: string[]): Piece[] => texts.map((text, index) => ({ text, index }))

test('a word has the tokens that spell it, punctuation none', () => {
  expect(wordsOf(pieces('A', ' tri', 'lob', 'ite', ',', ' asleep', '.'), 7)).toEqual([
    { text: 'A', tokens: [0] },
    { text: 'trilobite', tokens: [1, 2, 3] },
    { text: 'asleep', tokens: [5] },
  ])
})

test('tokens that only began a character belong to the one that ended it', () => {
  expect(wordsOf(pieces('caf', '', 'é', ' x'), 4)).toEqual([
    { text: 'café', tokens: [0, 1, 2] },
    { text: 'x', tokens: [3] },
  ])
})

test('a token in two words belongs to both', () => {
  expect(wordsOf(pieces('It', "'s a", ' cat'), 3)).toEqual([
    { text: "It's", tokens: [0, 1] },
    { text: 'a', tokens: [1] },
    { text: 'cat', tokens: [2] },
  ])
})

test('text held back to the end has the tokens it waited for, not one more', () => {
  const held = [...pieces('Yes', '', ''), { text: ' it is', index: 3 }]
  expect(wordsOf(held, 3)).toEqual([
    { text: 'Yes', tokens: [0] },
    { text: 'it', tokens: [1, 2] },
    { text: 'is', tokens: [1, 2] },
  ])
})

test('an end token is no word', () => {
  expect(wordsOf(pieces('frog', ''), 2)).toEqual([{ text: 'frog', tokens: [0] }])
})

test('languages without spaces have words too', () => {
  expect(segmentWords('青い鳥がいます').length).toBeGreaterThan(1)
})

test('shown words are found among those of the reply, past what markdown hides', () => {
  const words = wordsOf(pieces('See [the card](https://example.com/card): ', 'the ', 'frog'), 3)
  const shown = ['See', 'the', 'card', 'the', 'frog']
  expect(alignWords(shown, words).map((at) => words[at!]!.tokens)).toEqual([[0], [0], [0], [1], [2]])
  expect(alignWords(['frog', 'never'], words)).toEqual([words.length - 1, undefined])
})
