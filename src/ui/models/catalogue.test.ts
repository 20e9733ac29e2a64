import { describe, expect, test } from 'vitest'
import { en } from '../text/messages/en'
import { BUNDLED, CATALOGUE, estimateWeightBytes } from './catalogue'
import { BUNDLED_NAMES, parseModelAddress } from './choice'

describe('catalogue', () => {
  test.each(CATALOGUE.map((entry) => [entry.repo, entry] as const))('%s is sound', (repo, entry) => {
    expect(parseModelAddress(repo)).toEqual({ kind: 'hub', repo })
    // What is known is published in 16 bit.
    expect(entry.downloadBytes ?? entry.parameters * 2).toBe(entry.parameters * 2)
    expect(entry.downloadBytes ?? entry.memoryGB).toBeDefined()
    expect(entry.cacheBytesPerToken).toBeGreaterThan(0)
  })

  test('estimates shrink with the format', () => {
    const [f32, f16, q8, q4] = (['f32', 'f16', 'q8', 'q4'] as const).map((d) => estimateWeightBytes(1e9, d))
    expect([f32, f16, q8, q4]).toEqual([4e9, 2e9, 1.125e9, 0.625e9])
  })
})

describe('bundled models', () => {
  test('are listed in the order of their names, the one that chats first', () => {
    expect(BUNDLED.map(({ name }) => name)).toEqual(BUNDLED_NAMES)
    expect(BUNDLED[0].name).toBe('trilobite-nano-cambrian')
    expect(en.models.bundled[BUNDLED.at(-1)!.name].about).toMatch(/^To be trained, not to chat with/)
  })
})
