import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded } from '../testing/numbers'
import { toRows } from './to-rows'
import { toRowsCases } from './to-rows.cases'
import { toRowsRef } from './to-rows.ref'

describe('to-rows', () => {
  test.each(toRowsCases)('matches the oracle for [$C, $n]', async ({ C, n }) => {
    const { x } = seeded({ x: [C, n] })
    const got = await onGpu({ x }, (enc, t) => ({ y: toRows(enc, t.x) }))
    expect(got.y).toBeClose(toRowsRef(x, C, n), { rtol: 0 })
  })

  test('a folded grid reaches every element once', async () => {
    const { x } = seeded({ x: [12, 1024] })
    const got = await onGpu({ x }, (enc, t) => withGridLimit(enc.gpu, 4, () => ({ y: toRows(enc, t.x) })))
    expect(got.y).toBeClose(toRowsRef(x, 12, 1024), { rtol: 0 })
  })

  test('refuses a picture whose planes were not flattened', async () => {
    const { x } = seeded({ x: [2, 3, 3] })
    await expect(onGpu({ x }, (enc, t) => ({ y: toRows(enc, t.x) }))).rejects.toThrow(
      'to-rows: x should be [channels, positions] but is [2, 3, 3]; reshape it',
    )
  })
})
