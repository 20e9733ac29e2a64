import { describe, expect, test } from 'vitest'
import {
  eagerArchitectures,
  largestModules,
  overLimit,
  staticClosure,
  withoutEmbedded,
  type Chunk,
} from './size-report.mjs'

const chunk = (fileName: string, imports: string[] = [], modules: Record<string, number> = {}): Chunk => ({
  fileName,
  code: '',
  isEntry: false,
  imports,
  modules: Object.fromEntries(
    Object.entries(modules).map(([name, renderedLength]) => [name, { renderedLength }]),
  ),
})

describe('withoutEmbedded', () => {
  const long = 'x'.repeat(200_000)

  test.each([`"${long}"`, `\`${long}\``])('the longest string goes, whatever its quotes', (literal) => {
    expect(withoutEmbedded(`const a="${'y'.repeat(110_000)}";start(${literal})`)).toEqual({
      rest: `const a="${'y'.repeat(110_000)}";start("")`,
      embedded: literal,
    })
  })

  test('texts of a page stay', () => {
    expect(withoutEmbedded('say("hello")')).toEqual({ rest: 'say("hello")', embedded: '' })
  })
})

test('a closure holds what is imported at any depth, once', () => {
  const chunks = [chunk('a', ['b', 'c']), chunk('b', ['c']), chunk('c', ['a']), chunk('d', ['a'])]
  expect(staticClosure(chunks, chunks[0]!).map(({ fileName }) => fileName)).toEqual(['a', 'b', 'c'])
})

test('the message of a limit names the limit, the size and the largest modules', () => {
  const largest = largestModules(
    [chunk('a', [], { small: 10, large: 90_000 }), chunk('b', [], { mid: 500 })],
    2,
  )
  expect(largest.map(({ name }) => name)).toEqual(['large', 'mid'])
  const message = overLimit('the element', 151_000, 150_000, largest)
  for (const part of ['the element', '150.0 kB', '151.0 kB', '90.0 kB  large', '0.5 kB  mid'])
    expect(message).toContain(part)
  expect(overLimit('the element', 149_999, 150_000, largest)).toBeUndefined()
})

test('kinds of a part are architectures, what they share is not', () => {
  expect(
    eagerArchitectures([
      'src/model/vision/clip.ts',
      'src/model/vision/index.ts',
      'src/model/family/definition.ts',
      'src/model/language/llama.ts',
      'src/model/vlm.ts',
      'src/worker/engine.ts',
    ]),
  ).toEqual(['src/model/language/llama.ts', 'src/model/vision/clip.ts'])
})
