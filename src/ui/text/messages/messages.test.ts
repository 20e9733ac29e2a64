import { describe, expect, test } from 'vitest'
import { chatsMessagesOf } from './chats'
import { en } from './en'
import { closestLanguage, LANGUAGES, messagesOf, type Language } from './index'
import { laidOver } from './overrides'

type Leaf = string | ((...values: number[]) => string)

/** Every word by its path, such as `chat.title`. */
function leavesOf(messages: object, path = ''): [string, Leaf][] {
  return Object.entries(messages).flatMap(([key, value]: [string, unknown]): [string, Leaf][] => {
    const at = path ? `${path}.${key}` : key
    return typeof value === 'object' && value !== null ? leavesOf(value, at) : [[at, value as Leaf]]
  })
}

/** All words of a language, those that elements do not carry included. */
const wordsOf = (language: Language) => ({ ...messagesOf(language), chats: chatsMessagesOf(language) })

const english = new Map(leavesOf(wordsOf('en')))
const others = (Object.keys(LANGUAGES) as Language[]).filter((language) => language !== 'en')

/** Sample values, recognisable in what a function says: no sentence has them by itself. */
const valuesFor = (of: (...values: number[]) => string) => Array.from({ length: of.length }, (_, i) => 71 + i)
const told = (leaf: Leaf, ...values: number[]) => (typeof leaf === 'string' ? leaf : leaf(...values))

/** Names, units and terms that other languages say as English does. */
const SHARED = [
  /^units\./,
  /^stats\.tokens$/,
  /^settings\.top[PK]$/,
  /^profile\.(kernel|dispatches|milliseconds|rate)$/,
  /^keys\.(enter|shift|control|escape)$/,
  /^models\.(plan\.architecture|load\.config)$/,
  /^chats\.markdown\.locale$/,
  /^models\.catalogue\..*\.licence$/,
]

describe.each(others)('%s', (language) => {
  const leaves = leavesOf(wordsOf(language))

  test('says everything English says, of the same values, and nothing else', () => {
    const shape = (entries: Iterable<[string, Leaf]>) =>
      [...entries].map(([path, leaf]) => `${path}/${typeof leaf === 'string' ? '' : leaf.length}`)
    expect(shape(leaves)).toEqual(shape(english))
  })

  test('leaves nothing empty and nothing in English', () => {
    for (const [path, leaf] of leaves) {
      const values = typeof leaf === 'string' ? [] : valuesFor(leaf)
      const words = told(leaf, ...values)
      expect(words.trim(), path).not.toBe('')
      expect(words, path).not.toMatch(/undefined|NaN|\[object/)
      if (SHARED.some((shared) => shared.test(path))) continue
      expect(words, path).not.toBe(told(english.get(path)!, ...values))
    }
  })

  test('tells the values that English tells', () => {
    for (const [path, leaf] of leaves) {
      if (typeof leaf === 'string') continue
      const values = valuesFor(leaf)
      const shown = (words: string) => values.filter((value) => words.includes(String(value)))
      expect(shown(leaf(...values)), path).toEqual(shown(told(english.get(path)!, ...values)))
    }
  })

  test('ends sentences as English does', () => {
    for (const [path, leaf] of leaves) {
      if (!path.startsWith('problems.')) continue
      expect(told(leaf), path).toMatch(/[.。]$/)
    }
  })
})

test('English tells every value but those that choose a sentence', () => {
  const silent = [...english].filter(([, leaf]) => {
    if (typeof leaf === 'string') return false
    const values = valuesFor(leaf)
    return values.some((value) => !leaf(...values).includes(String(value)))
  })
  expect(silent.map(([path]) => path)).toEqual(['models.plan.allFetched', 'models.plan.someFetched'])
})

test('one and many', () => {
  const one = (language: Language) => {
    const { stats, models } = messagesOf(language)
    return [1, 2000].map((count) => `${stats.tokens(count)}, ${models.plan.files('9 MB', count)}`)
  }
  expect(one('en')).toEqual(['1 token, 9 MB in 1 file', '2,000 tokens, 9 MB in 2,000 files'])
  expect(one('de')).toEqual(['1 Token, 9 MB in 1 Datei', '2.000 Token, 9 MB in 2.000 Dateien'])
  expect(one('fr')).toEqual(['1 token, 9 MB en 1 fichier', '2\u202f000 tokens, 9 MB en 2\u202f000 fichiers'])
  expect(one('es')).toEqual(['1 token, 9 MB en 1 archivo', '2000 tokens, 9 MB en 2000 archivos'])
  expect(one('zh')).toEqual(['1 个 token, 9 MB，共 1 个文件', '2,000 个 token, 9 MB，共 2,000 个文件'])
})

test.each([
  ['de', 'de'],
  ['de-AT', 'de'],
  ['FR_ca', 'fr'],
  ['zh-Hant-TW', 'zh'],
  [' en-GB ', 'en'],
  ['nl', undefined],
  ['den', undefined],
  ['constructor', undefined],
  ['', undefined],
])('the language closest to %j is %s', (tag, language) => expect(closestLanguage(tag)).toBe(language))

describe('overrides', () => {
  test('replace what they name and nothing beside it', () => {
    const said = laidOver(en, { composer: { send: 'Fire' }, chat: { load: (model) => `Get ${model}` } })
    expect([said.composer.send, said.composer.ask, said.chat.load('x')]).toEqual(['Fire', 'Ask', 'Get x'])
    expect(said.models).toBe(en.models)
    expect(en.composer.send).toBe('Send')
  })

  test('from a page without types do no harm', () => {
    const given = {
      composer: null,
      chat: { load: 'no function', title: 7, unknown: 'x' },
      locale: 'no locale',
      __proto__: { answer: { copy: 'inherited' } },
    }
    expect(laidOver(en, given as never)).toEqual(en)
    expect(laidOver(en, { locale: 'nl' }).locale).toBe('nl')
  })
})
