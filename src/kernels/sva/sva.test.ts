import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { seenKeys, svaAttentionBackwardRef, svaAttentionRef } from './sva.ref'

describe('sva oracle', () => {
  test('its gradients agree with central differences for a random cotangent', () => {
    const cells = [0, 2, 3]
    const { q, dy, k0, v0, k1, v1 } = seeded({
      q: [3, 6],
      dy: [3, 6],
      k0: [4, 6],
      v0: [4, 6],
      k1: [36, 6],
      v1: [36, 6],
    })
    const valid = { axis: 'rows', from: 1, to: 3 } as const // masks the lower cells' windows as wholes
    const options = { heads: 2, side: 2, cells, scale: 0.9 }
    const towers = [
      { k: k0, v: v0, side: 2 },
      { k: k1, v: v1, side: 6, valid },
    ] as const
    const [small, large] = towers
    const closeness = { rtol: 1e-7 }
    const { dq, dk, dv } = svaAttentionBackwardRef(dy, q, towers, options)
    expect(dq).toBeClose(
      finiteDifference((at) => svaAttentionRef(at, towers, options).y, q, dy),
      closeness,
    )
    expect(dk[1]!).toBeClose(
      finiteDifference((k) => svaAttentionRef(q, [small, { ...large, k }], options).y, k1, dy),
      closeness,
    )
    expect(dv[1]!).toBeClose(
      finiteDifference((v) => svaAttentionRef(q, [small, { ...large, v }], options).y, v1, dy),
      closeness,
    )
    expect(dk[0]!).toBeClose(
      finiteDifference((k) => svaAttentionRef(q, [{ ...small, k }, large], options).y, k0, dy),
      closeness,
    )
    expect(dv[0]!).toBeClose(
      finiteDifference((v) => svaAttentionRef(q, [{ ...small, v }, large], options).y, v0, dy),
      closeness,
    )
  })

  test('sees the block of a cell, without its masked part, or all of it where all is masked', () => {
    const tower = { k: [], v: [], side: 6 }
    expect(seenKeys(tower, 2, 1)).toEqual([3, 4, 5, 9, 10, 11, 15, 16, 17])
    const valid = { axis: 'columns', from: 0, to: 4 } as const
    expect(seenKeys({ ...tower, valid }, 2, 1)).toEqual([3, 9, 15])
    expect(seenKeys({ ...tower, valid: { ...valid, to: 3 } }, 2, 1)).toEqual(seenKeys(tower, 2, 1))
  })

  test('its shares are parts of one', () => {
    const { q, k0, k1 } = seeded({ q: [4, 6], k0: [4, 6], k1: [16, 6] })
    const towers = [
      { k: k0, v: k0, side: 2 },
      { k: k1, v: k1, side: 4 },
    ]
    const { shares } = svaAttentionRef(q, towers, { heads: 3, side: 2 })
    for (let n = 0; n < 4; n++) expect(shares[2 * n]! + shares[2 * n + 1]!).toBeCloseTo(1, 12)
  })
})
