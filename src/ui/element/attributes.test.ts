import { describe, expect, test } from 'vitest'
import {
  AttributeError,
  parseContextLength,
  parseDtype,
  parseEndpointUrl,
  parseFlag,
  parseFolder,
  parseHide,
  parseHub,
  parseModel,
  parseTheme,
} from './attributes'

const PAGE = 'https://shop.example/products/42'
const model = (value: string) => parseModel(value, PAGE)

describe('model', () => {
  test.each([
    ['bundled', { kind: 'bundled' }],
    ['bundled/trilobite-nano-llava', { kind: 'bundled', name: 'trilobite-nano-llava' }],
    ['llava-hf/llava-1.5-7b-hf', { kind: 'hub', repo: 'llava-hf/llava-1.5-7b-hf' }],
    ['a/b@v1', { kind: 'hub', repo: 'a/b', revision: 'v1' }],
    ['https://models.example/nano', { kind: 'url', baseUrl: 'https://models.example/nano/' }],
    ['./nano/', { kind: 'url', baseUrl: 'https://shop.example/products/nano/' }],
    ['/models/nano', { kind: 'url', baseUrl: 'https://shop.example/models/nano/' }],
    ['../nano', { kind: 'url', baseUrl: 'https://shop.example/nano/' }],
  ])('%s', (value, choice) => expect(model(value)).toEqual(choice))

  test.each(['llava', 'bundled/', 'bundled/other', 'bundledx', 'a/b/c', 'ftp://x/y', 'http://far.example/m'])(
    '%j is refused, and the kinds there are are named',
    (value) => {
      expect(() => model(value)).toThrow(AttributeError)
      expect(() => model(value)).toThrow(/bundled\/trilobite-nano-llava/)
    },
  )
})

test('a server, which may be the page’s own', () => {
  const server = (value: string) => parseEndpointUrl(value, PAGE)?.baseUrl
  expect([server(''), server('/v1'), server('https://gpu.example'), server('localhost:8000')]).toEqual([
    undefined,
    'https://shop.example/v1',
    'https://gpu.example/v1',
    'http://localhost:8000/v1',
  ])
  expect(() => server('ftp://x')).toThrow(AttributeError)
})

test('one of a few', () => {
  expect([parseDtype('q4'), parseTheme('dark')]).toEqual(['q4', 'dark'])
  expect(() => parseDtype('q5')).toThrow(
    '<trilobite-chat> dtype: expected auto, f32, f16, q8 or q4, got "q5". The default is used instead.',
  )
  expect(() => parseTheme('Dark')).toThrow(/auto, light or dark/)
  expect(() => parseTheme('toString')).toThrow(AttributeError)
})

test('what is hidden', () => {
  expect(parseHide(' upload\n picker ')).toEqual(['upload', 'picker'])
  expect(parseHide('')).toEqual([])
  expect(() => parseHide('upload, picker')).toThrow(/picker, settings or upload, got "upload,"/)
})

test('numbers of tokens', () => {
  expect(parseContextLength('4096')).toBe(4096)
  for (const value of ['0', '-1', '1.5', '1e3', 'many', '99999999999999999999'])
    expect(() => parseContextLength(value), value).toThrow(/whole number/)
})

test('folders', () => {
  expect(parseFolder('models-url', '/m', PAGE)).toBe('https://shop.example/m/')
  expect(parseFolder('models-url', 'https://cdn.example/models/', PAGE)).toBe('https://cdn.example/models/')
  expect(() => parseFolder('models-url', 'http://', PAGE)).toThrow(/the address of a folder/)
})

test('what is empty is as good as not there', () => {
  expect([model(''), parseDtype(''), parseTheme(''), parseHide('')]).toEqual([
    { kind: 'bundled' },
    'auto',
    'auto',
    [],
  ])
  expect([parseContextLength(''), parseFolder('models-url', '', PAGE), parseHub('')]).toEqual([
    undefined,
    undefined,
    '',
  ])
})

test('flags and hubs', () => {
  for (const value of ['', 'autoload', 'true']) expect(parseFlag('autoload', value)).toBe(true)
  expect(() => parseFlag('autoload', 'false')).toThrow(
    '<trilobite-chat> autoload: expected no value or no such attribute, got "false". The default is used instead.',
  )
  expect(parseHub('https://hub.example/')).toBe('https://hub.example')
  for (const value of ['hub.example.com', 'http://hub.example'])
    expect(() => parseHub(value)).toThrow(/https:/)
})
