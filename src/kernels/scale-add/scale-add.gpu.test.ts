import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded } from '../testing/numbers'
import { scaleAdd } from './scale-add'
import { scaleAddCases } from './scale-add.cases'
import { scaleAddRef } from './scale-add.ref'

describe('scale-add', () => {
  test.each(scaleAddCases)('matches the oracle for [$rows, $C]', async ({ rows, C }) => {
    const { x, residual, gamma } = seeded({ x: [rows, C], residual: [rows, C], gamma: [C] })
    const got = await onGpu({ x, residual, gamma }, (enc, t) => ({
      y: scaleAdd(enc, t.x, t.residual, t.gamma),
    }))
    expect(got.y).toBeClose(scaleAddRef(x, residual, gamma))
  })

  test('a folded grid reaches every element once', async () => {
    const { x, residual, gamma } = seeded({ x: [9, 1024], residual: [9, 1024], gamma: [1024] })
    const got = await onGpu({ x, residual, gamma }, (enc, t) =>
      withGridLimit(enc.gpu, 4, () => ({ y: scaleAdd(enc, t.x, t.residual, t.gamma) })),
    )
    expect(got.y).toBeClose(scaleAddRef(x, residual, gamma))
  })

  test('refuses a factor of another width', async () => {
    const { x, gamma } = seeded({ x: [2, 8], gamma: [4] })
    await expect(onGpu({ x, gamma }, (enc, t) => ({ y: scaleAdd(enc, t.x, t.x, t.gamma) }))).rejects.toThrow(
      'scale-add: gamma should be [8] but is [4]',
    )
  })
})
