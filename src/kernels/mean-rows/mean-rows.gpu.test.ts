import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded } from '../testing/numbers'
import { columnSums, meanRows, meanRowsBackward } from './mean-rows'
import { meanRowsCases } from './mean-rows.cases'
import { columnSumsRef, meanRowsBackwardRef, meanRowsRef } from './mean-rows.ref'

describe('mean-rows', () => {
  test.each(meanRowsCases)('matches the oracle for $batch x [$R, $C]', async ({ batch, R, C }) => {
    const { x, dy } = seeded({ x: [batch * R, C], dy: [batch, C] })
    const got = await onGpu({ x, dy }, (enc, t) => ({
      mean: meanRows(enc, t.x, { batch }),
      sums: columnSums(enc, t.x),
      dx: meanRowsBackward(enc, t.dy, { rows: R }),
    }))
    expect(got.mean).toBeClose(meanRowsRef(x, C, batch))
    expect(got.sums).toBeClose(columnSumsRef(x, C))
    expect(got.dx).toBeClose(meanRowsBackwardRef(dy, C, R))
  })

  test('a folded grid reaches every element once', async () => {
    const { x, dy } = seeded({ x: [3 * 40, 516], dy: [7, 516] })
    const got = await onGpu({ x, dy }, (enc, t) =>
      withGridLimit(enc.gpu, 2, () => ({
        mean: meanRows(enc, t.x, { batch: 3 }),
        dx: meanRowsBackward(enc, t.dy, { rows: 3 }),
      })),
    )
    expect(got.mean).toBeClose(meanRowsRef(x, 516, 3))
    expect(got.dx).toBeClose(meanRowsBackwardRef(dy, 516, 3))
  })

  test('sums have the shape of a vector', async () => {
    const { x } = seeded({ x: [3, 4] })
    await onGpu({ x }, (enc, t) => {
      expect(columnSums(enc, t.x).shape).toEqual([4])
      return {}
    })
  })

  test('refuses rows that do not divide by the batch', async () => {
    const { x } = seeded({ x: [7, 4] })
    await expect(onGpu({ x }, (enc, t) => ({ y: meanRows(enc, t.x, { batch: 2 }) }))).rejects.toThrow(
      'mean-rows: x should have a multiple of 2 rows, the batch, and at least one each but has 7',
    )
  })
})
