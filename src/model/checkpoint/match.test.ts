import { describe, expect, test } from 'vitest'
import { CheckpointError } from '../errors'
import { matchTensors, TensorMatching } from './match'
import type { TensorEntry } from './safetensors'

function tensors(shapes: Record<string, number[]>): Map<string, TensorEntry> {
  return new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { name, dtype: 'F32', shape, file: 'model.safetensors', start: 0, end: 0 },
    ]),
  )
}

const expected = { 'embed.weight': [7, 4], 'norm.weight': [4], 'head.weight': [7, 4] }
const rename = (key: string) => (key.endsWith('inv_freq') ? undefined : key.replace(/^model\./, ''))
const options = { expected, rename, where: 'owner/name' }

function message(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError)
    return (error as Error).message
  }
  throw new Error('nothing was thrown')
}

describe('matchTensors', () => {
  test('finds every parameter under its renamed key and ignores known keys', () => {
    const matched = matchTensors({
      ...options,
      tensors: tensors({
        'model.embed.weight': [7, 4],
        'model.norm.weight': [4],
        'head.weight': [7, 4],
        'model.rotary.inv_freq': [2],
      }),
    })
    expect([...matched].map(([param, { name }]) => [param, name])).toEqual([
      ['embed.weight', 'model.embed.weight'],
      ['norm.weight', 'model.norm.weight'],
      ['head.weight', 'head.weight'],
    ])
  })

  test('a tied parameter may be absent, and is used where present', () => {
    const tied = { 'head.weight': 'embed.weight' }
    const shared = { 'embed.weight': [7, 4], 'norm.weight': [4] }
    expect(matchTensors({ ...options, tied, tensors: tensors(shared) }).has('head.weight')).toBe(false)
    const both = matchTensors({ ...options, tied, tensors: tensors({ ...shared, 'head.weight': [7, 4] }) })
    expect(both.get('head.weight')!.name).toBe('head.weight')
  })

  test('a tied parameter does not excuse the absence of its owner', () => {
    const text = message(() =>
      matchTensors({
        ...options,
        tied: { 'head.weight': 'embed.weight' },
        tensors: tensors({ 'norm.weight': [4] }),
      }),
    )
    expect(text).toContain('1 missing: embed.weight.')
  })

  test('lists all that is wrong in one error', () => {
    const text = message(() =>
      matchTensors({
        ...options,
        tensors: tensors({
          'embed.weight': [4, 7],
          'model.norm.weight': [4],
          'norm.weight': [4],
          'model.extra.bias': [1],
        }),
      }),
    )
    expect(text).toBe(
      'owner/name: expected 3 parameters of the shapes that config.json describes, got 4 tensors that do not match. ' +
        '1 missing: head.weight. 1 unexpected: model.extra.bias (as extra.bias). ' +
        '1 mis-shaped: embed.weight: expected [7, 4], found [4, 7]. ' +
        '1 given twice: norm.weight from model.norm.weight and norm.weight. ' +
        'Check that config.json and the weights belong to the same model, and that the checkpoint is whole',
    )
  })

  test('cuts long lists', () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`layers.${i}`, [1]]))
    const text = message(() => matchTensors({ ...options, expected: many, tensors: tensors({}) }))
    expect(text).toContain('20 missing: layers.0; ')
    expect(text).toContain('layers.7 and 12 more.')
    expect(text).not.toContain('layers.8')
  })

  test('is not fooled by names of the prototype', () => {
    const text = message(() =>
      matchTensors({ ...options, expected: {}, tensors: tensors({ constructor: [1], __proto__x: [1] }) }),
    )
    expect(text).toContain('2 unexpected')
  })

  test('rank counts: [4] is not [4, 1]', () => {
    expect(() => matchTensors({ ...options, expected: { a: [4] }, tensors: tensors({ a: [4, 1] }) })).toThrow(
      'found [4, 1]',
    )
  })
})

describe('TensorMatching', () => {
  test('takes what an earlier checkpoint holds, and tells what is still missing', () => {
    const matching = new TensorMatching(expected, { 'head.weight': 'embed.weight' })
    const own = tensors({ 'model.norm.weight': [4] })
    matching.add(own, rename)
    expect(matching.missing()).toEqual(['embed.weight'])
    expect(matching.missing('norm.')).toEqual([])
    matching.add(tensors({ 'embed.weight': [7, 4], 'norm.weight': [4] }), rename)
    const matched = matching.finish('owner/name')
    expect([...matched.keys()]).toEqual(['norm.weight', 'embed.weight'])
    expect(matched.get('norm.weight')).toBe(own.get('model.norm.weight'))
  })

  test('lists what no checkpoint holds and what none asks for', () => {
    const matching = new TensorMatching(expected)
    matching.add(tensors({ 'norm.weight': [5] }), rename)
    matching.add(tensors({ 'embed.weight': [7, 4], stray: [1] }), rename)
    const text = message(() => matching.finish('owner/name'))
    expect(text).toContain('got 3 tensors')
    expect(text).toContain('1 missing: head.weight')
    expect(text).toContain('1 unexpected: stray')
    expect(text).toContain('norm.weight: expected [4], found [5]')
  })
})
