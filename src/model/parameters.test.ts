import { describe, expect, test } from 'vitest'
import { linearSpecs, stacked, under } from './parameters'

const qkv = (q: number, k: number, bias = true) =>
  under(
    'attn',
    stacked('qkv', ['q', 'k', 'v'], {
      ...under('q', linearSpecs(q, 96, bias)),
      ...under('k', linearSpecs(k, 96, bias)),
      ...under('v', linearSpecs(k, 96, bias)),
    }),
  )

describe('stacked', () => {
  test('lays layers one behind the other, weights and biases', () => {
    const specs = qkv(128, 64)
    const places = Object.entries(specs).map(([name, { within }]) => [name, within?.name, within?.start])
    expect(places).toEqual([
      ['attn.q.weight', 'attn.qkv.weight', 0],
      ['attn.q.bias', 'attn.qkv.bias', 0],
      ['attn.k.weight', 'attn.qkv.weight', 128],
      ['attn.k.bias', 'attn.qkv.bias', 128],
      ['attn.v.weight', 'attn.qkv.weight', 192],
      ['attn.v.bias', 'attn.qkv.bias', 192],
    ])
    expect(new Set(Object.values(specs).map(({ within }) => within?.rows))).toEqual(new Set([256]))
  })

  test('does without biases, and leaves alone what a view cannot begin at', () => {
    expect(Object.keys(qkv(128, 64, false))).toEqual(['attn.q.weight', 'attn.k.weight', 'attn.v.weight'])
    expect(qkv(128, 64, false)['attn.v.weight']!.within!.start).toBe(192)
    expect(qkv(128, 32)['attn.q.weight']!.within).toBeUndefined()
  })
})
