import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { generator, seeded } from '../testing/numbers'
import { gatherRows, takeRows } from './rows'
import { gatherRowsCases, takeRowsCases } from './rows.cases'
import { gatherRowsRef, takeRowsRef } from './rows.ref'

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
    const { x } = seeded({ x: [N, C] })
    const random = generator(5)
    const which = Uint32Array.from({ length: R }, () => Math.floor(random() * (N + 1)))
    const got = await onGpu({ x }, (enc, t) => ({ y: gatherRows(enc, t.x, enc.constant(which)) }))
    expect(got.y).toBeClose(gatherRowsRef(x, C, which))
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
    })),
  )
  expect(got.taken).toBeClose(takeRowsRef(x, 1024, { batch: 2, start: 1, count: 5 }))
  expect(got.gathered).toBeClose(gatherRowsRef(x, 1024, [3, 11, 0, 7, 7, 1, 2]))
})
