import { describe, expect, test } from 'vitest'
import { messagesOf } from '../text/messages'
import { choiceName, parseEndpoint, parseModelAddress, parseServer, restoreChoice, toSource } from './choice'

describe('parseModelAddress', () => {
  test.each([
    ['llava-hf/llava-1.5-7b-hf', { kind: 'hub', repo: 'llava-hf/llava-1.5-7b-hf' }],
    ['  a/b@refs/pr/3 ', { kind: 'hub', repo: 'a/b', revision: 'refs/pr/3' }],
    ['https://huggingface.co/a/b', { kind: 'hub', repo: 'a/b' }],
    ['https://huggingface.co/a/b/tree/main', { kind: 'hub', repo: 'a/b' }],
    ['https://huggingface.co/a/b/tree/v2/sub?x=1', { kind: 'hub', repo: 'a/b', revision: 'v2' }],
    ['https://huggingface.co/a/b/blob/main/config.json', { kind: 'hub', repo: 'a/b' }],
    ['https://example.com/models/tiny', { kind: 'url', baseUrl: 'https://example.com/models/tiny/' }],
    ['https://example.com/m/config.json?x#y', { kind: 'url', baseUrl: 'https://example.com/m/' }],
    ['http://localhost:8000/m//', { kind: 'url', baseUrl: 'http://localhost:8000/m/' }],
    ['https://user:secret@example.com/m', { kind: 'url', baseUrl: 'https://example.com/m/' }],
  ])('%s', (text, choice) => expect(parseModelAddress(text)).toEqual(choice))

  test('a custom endpoint is a hub too', () => {
    expect(parseModelAddress('https://mirror.example/a/b', 'https://mirror.example')).toEqual({
      kind: 'hub',
      repo: 'a/b',
    })
  })

  test.each([
    ['', 'Type a repository'],
    ['llava', 'neither owner/name'],
    ['../..', 'neither owner/name'],
    ['a/b/c', 'neither owner/name'],
    ['http://example.com/m', 'Only https'],
    ['ftp://example.com/m', 'Only https'],
    ['javascript://alert(1)', 'Only https'],
    ['https://huggingface.co/a', 'names no model'],
    ['https://huggingface.co/datasets/a', 'not the address of a model'],
  ])('refuses %s', (text, message) => expect(() => parseModelAddress(text)).toThrow(message))
})

describe('parseServer', () => {
  const server = (text: string, page = 'http:') => parseServer(text, undefined, page).baseUrl

  test.each([
    ['http://localhost:8000/v1', 'http://localhost:8000/v1'],
    ['localhost:8000', 'http://localhost:8000/v1'],
    ['gpu.example', 'https://gpu.example/v1'],
    ['https://gpu.example/v1/chat/completions', 'https://gpu.example/v1'],
    ['https://gpu.example/api/v2/models/', 'https://gpu.example/api/v2'],
    ['http://192.168.1.5:8000', 'http://192.168.1.5:8000/v1'],
    ['https://user:secret@gpu.example/v1?key=1#x', 'https://gpu.example/v1'],
  ])('%s', (text, baseUrl) => expect(server(text)).toBe(baseUrl))

  test('a page over https may ask over http on its own machine alone', () => {
    expect(server('http://localhost:8000', 'https:')).toBe('http://localhost:8000/v1')
    expect(() => server('http://192.168.1.5:8000', 'https:')).toThrow('over https alone')
  })

  test.each(['', 'ftp://x/v1', 'javascript://alert(1)', 'a b'])('refuses %j', (text) =>
    expect(() => server(text)).toThrow('is not an address'),
  )
})

test('an address is refused in the language it is given', () => {
  const { address } = messagesOf('de').models
  expect(() => parseModelAddress('llava', '', address)).toThrow('Das ist weder owner/name')
  expect(() => parseEndpoint('e.example', address)).toThrow('e.example ist keine Adresse')
})

describe('choices', () => {
  test('a server is remembered without its key, which goes along to be asked alone', () => {
    const choice = { kind: 'endpoint' as const, baseUrl: 'https://gpu.example/v1', model: 'llava' }
    expect(choiceName(choice)).toBe('llava @ gpu.example')
    expect(choiceName({ ...choice, model: undefined })).toBe('gpu.example')
    expect(restoreChoice({ ...choice, apiKey: 'secret' })).toEqual(choice)
    expect(restoreChoice({ kind: 'endpoint', baseUrl: 'ftp://x' })).toBeUndefined()
    expect(toSource(choice, { home: 'https://h.example/', token: 'hf', apiKey: 'secret' })).toEqual({
      ...choice,
      apiKey: 'secret',
    })
  })

  test('the token goes to hub sources only', () => {
    const by = {
      home: 'https://host.example/app/models/',
      endpoint: 'https://e.example',
      token: 'secret',
    }
    expect(toSource({ kind: 'bundled' }, by)).toEqual({
      kind: 'url',
      baseUrl: 'https://host.example/app/models/trilobite-nano-cambrian/',
    })
    expect(toSource({ kind: 'bundled', name: 'trilobite-nano-llava' }, by)).toEqual({
      kind: 'url',
      baseUrl: 'https://host.example/app/models/trilobite-nano-llava/',
    })
    expect(toSource({ kind: 'url', baseUrl: 'https://x.example/m/' }, by)).toEqual({
      kind: 'url',
      baseUrl: 'https://x.example/m/',
    })
    expect(toSource({ kind: 'hub', repo: 'a/b' }, by)).toEqual({
      kind: 'hub',
      repo: 'a/b',
      endpoint: 'https://e.example',
      token: 'secret',
    })
  })

  test('names', () => {
    expect(choiceName({ kind: 'hub', repo: 'a/b', revision: 'v1' })).toBe('a/b@v1')
    expect(choiceName({ kind: 'url', baseUrl: 'https://x.example/models/tiny/' })).toBe('tiny')
    expect(choiceName({ kind: 'url', baseUrl: 'https://x.example/' })).toBe('x.example')
  })

  test('a remembered choice comes back only if it is still sound', () => {
    expect(restoreChoice({ kind: 'hub', repo: 'a/b', revision: 'v1', token: 'x' })).toEqual({
      kind: 'hub',
      repo: 'a/b',
      revision: 'v1',
    })
    expect(restoreChoice({ kind: 'url', baseUrl: 'https://x.example/m/' })).toEqual({
      kind: 'url',
      baseUrl: 'https://x.example/m/',
    })
    expect(restoreChoice({ kind: 'bundled' })).toEqual({ kind: 'bundled' })
    const llava = { kind: 'bundled', name: 'trilobite-nano-llava' }
    expect(restoreChoice(llava)).toEqual(llava)
    expect(restoreChoice({ kind: 'bundled', name: '../elsewhere' })).toEqual({ kind: 'bundled' })
    for (const bad of [
      null,
      'x',
      {},
      { kind: 'hub', repo: '../x' },
      { kind: 'url', baseUrl: 'javascript:1' },
    ])
      expect(restoreChoice(bad)).toBeUndefined()
  })

  test('endpoints', () => {
    expect(parseEndpoint(' ')).toBe('')
    expect(parseEndpoint('https://e.example/hf/')).toBe('https://e.example/hf')
    expect(() => parseEndpoint('e.example')).toThrow('not an address')
  })
})
