import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded } from '../testing/numbers'
import { splice, spliceBackward } from './splice'
import { placesOf, spliceCases } from './splice.cases'
import { spliceBackwardRef, spliceRef } from './splice.ref'

describe('splice', () => {
  test.each(spliceCases)('matches the oracle for $R rows of $C into $T', async ({ T, R, C }) => {
    const { tokens, rows, dy } = seeded({ tokens: [T, C], rows: [R, C], dy: [T, C] })
    const places = placesOf({ T, R })
    const got = await onGpu({ tokens, rows, dy }, (enc, t) => {
      const at = enc.constant(places)
      splice(enc, t.tokens, t.rows, at)
      return { tokens: t.tokens, dRows: spliceBackward(enc, t.dy, at) }
    })
    expect(got.tokens).toBeClose(spliceRef(tokens, rows, places))
    expect(got.dRows).toBeClose(spliceBackwardRef(dy, places, C))
  })

  test('a folded grid reaches every element once', async () => {
    const { tokens, rows } = seeded({ tokens: [12, 1024], rows: [9, 1024] })
    const places = placesOf({ T: 12, R: 9 })
    const got = await onGpu({ tokens, rows }, (enc, t) =>
      withGridLimit(enc.gpu, 4, () => {
        const at = enc.constant(places)
        const dRows = spliceBackward(enc, t.tokens, at)
        splice(enc, t.tokens, t.rows, at)
        return { tokens: t.tokens, dRows }
      }),
    )
    expect(got.tokens).toBeClose(spliceRef(tokens, rows, places))
    expect(got.dRows).toBeClose(spliceBackwardRef(tokens, places, 1024))
  })

  test('refuses rows of another width', async () => {
    const { tokens, rows } = seeded({ tokens: [4, 8], rows: [2, 4] })
    await expect(
      onGpu({ tokens, rows }, (enc, t) => {
        splice(enc, t.tokens, t.rows, enc.constant(Uint32Array.of(0, 1)))
        return {}
      }),
    ).rejects.toThrow('splice: rows should be [2, 8] but is [2, 4]')
  })
})
