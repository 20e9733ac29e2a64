import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { generator, seeded } from '../testing/numbers'
import { gatherRows, gatherRowsBackward, takeRows } from './rows'
import { gatherRowsCases, takeRowsCases } from './rows.cases'
import { gatherRowsBackwardRef, gatherRowsRef, takeRowsRef } from './rows.ref'

describe('take-rows', () => {
  test.each(takeRowsCases)(
    'matches the oracle for $count of $batch x $n from $start, width $C',
    async (sizes) => {
      const { batch, n, C } = sizes
      const { x } = seeded({ x: [batch * n, C] })
      const got = await onGpu({ x }, (enc, t) => ({ y: takeRows(enc, t.x, sizes) }))
      expect(got.y).toBeClose(takeRowsRef(x, C, sizes))
    },
  )

  test('refuses a range beyond the rows', async () => {
    const { x } = seeded({ x: [6, 4] })
    await expect(
      onGpu({ x }, (enc, t) => ({ y: takeRows(enc, t.x, { batch: 2, start: 1, count: 3 }) })),
    ).rejects.toThrow('take-rows: rows 1 to 4 should lie within the 3 of each of 2')
    await expect(
      onGpu({ x }, (enc, t) => ({ y: takeRows(enc, t.x, { batch: 4, start: 0, count: 1 }) })),
    ).rejects.toThrow('take-rows: 6 rows should divide by the batch but that is 4')
  })
})

describe('gather-rows', () => {
  test.each(gatherRowsCases)('matches the oracle for $R of $N rows, width $C', async ({ N, R, C }) => {
    const { x, dy } = seeded({ x: [N, C], dy: [R, C] })
    const random = generator(5)
    const which = Uint32Array.from({ length: R }, () => Math.floor(random() * (N + 1)))
    const got = await onGpu({ x, dy }, (enc, t) => ({
      y: gatherRows(enc, t.x, enc.constant(which)),
      dx: gatherRowsBackward(enc, t.dy, which, N),
    }))
    expect(got.y).toBeClose(gatherRowsRef(x, C, which))
    expect(got.dx).toBeClose(gatherRowsBackwardRef(dy, C, which, N))
  })

  test('the gradient of no rows is zero', async () => {
    const { dy } = seeded({ dy: [2, 4] })
    const got = await onGpu({ dy }, (enc, t) => ({
      none: gatherRowsBackward(enc, t.dy, Uint32Array.of(9, 9), 3),
    }))
    expect([...got.none]).toEqual(new Array(12).fill(0))
  })

  test('refuses another number of indices than rows of dy', async () => {
    const { dy } = seeded({ dy: [2, 4] })
    await expect(
      onGpu({ dy }, (enc, t) => ({ dx: gatherRowsBackward(enc, t.dy, Uint32Array.of(1), 3) })),
    ).rejects.toThrow('gather-rows-backward: dy should be [1, 4] but is [2, 4]')
  })

  test('refuses indices that are not u32', async () => {
    const { x } = seeded({ x: [6, 4] })
    await expect(
      onGpu({ x }, (enc, t) => ({ y: gatherRows(enc, t.x, enc.constant(Int32Array.of(1))) })),
    ).rejects.toThrow('gather-rows: indices should be u32 but is i32')
  })
})

test('rows: a folded grid reaches every element once', async () => {
  const { x } = seeded({ x: [12, 1024] })
  const got = await onGpu({ x }, (enc, t) =>
    withGridLimit(enc.gpu, 4, () => ({
      taken: takeRows(enc, t.x, { batch: 2, start: 1, count: 5 }),
      gathered: gatherRows(enc, t.x, enc.constant(Uint32Array.of(3, 11, 0, 7, 7, 1, 2))),
      dx: gatherRowsBackward(enc, t.x, Uint32Array.of(3, 11, 0, 7, 7, 1, 2, 0, 4, 7, 3, 9), 10),
    })),
  )
  expect(got.taken).toBeClose(takeRowsRef(x, 1024, { batch: 2, start: 1, count: 5 }))
  expect(got.gathered).toBeClose(gatherRowsRef(x, 1024, [3, 11, 0, 7, 7, 1, 2]))
  expect(got.dx).toBeClose(gatherRowsBackwardRef(x, 1024, [3, 11, 0, 7, 7, 1, 2, 0, 4, 7, 3, 9], 10))
})
