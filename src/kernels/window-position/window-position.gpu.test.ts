import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded } from '../testing/numbers'
import { addWindowPositions, addWindowPositionsBackward } from './window-position'
import { windowPositionCases } from './window-position.cases'
import { addWindowPositionsBackwardRef, addWindowPositionsRef } from './window-position.ref'

describe('window-position', () => {
  test.each(windowPositionCases)(
    'matches the oracle for $batch maps of side $side, windows of $window, width $C',
    async (sizes) => {
      const { batch, side, window, C } = sizes
      const rows = batch * side * side
      const { x, positions, dy } = seeded({ x: [rows, C], positions: [window ** 2, C], dy: [rows, C] })
      const got = await onGpu({ x, positions, dy }, (enc, t) => ({
        y: addWindowPositions(enc, t.x, t.positions, sizes),
        dPositions: addWindowPositionsBackward(enc, t.dy, sizes),
      }))
      expect(got.y).toBeClose(addWindowPositionsRef(x, positions, sizes))
      expect(got.dPositions).toBeClose(addWindowPositionsBackwardRef(dy, C, sizes))
    },
  )

  test('a folded grid reaches every element once', async () => {
    const { x, positions } = seeded({ x: [36, 128], positions: [9, 128] })
    const sizes = { side: 6, window: 3 }
    const got = await onGpu({ x, positions }, (enc, t) =>
      withGridLimit(enc.gpu, 3, () => ({ y: addWindowPositions(enc, t.x, t.positions, sizes) })),
    )
    expect(got.y).toBeClose(addWindowPositionsRef(x, positions, sizes))
  })

  test('refuses windows that do not tile the map', async () => {
    const { x, positions } = seeded({ x: [16, 4], positions: [9, 4] })
    const run = (sizes: { side: number; window: number }) =>
      onGpu({ x, positions }, (enc, t) => ({ y: addWindowPositions(enc, t.x, t.positions, sizes) }))
    await expect(run({ side: 4, window: 3 })).rejects.toThrow(
      'window-position: windows should tile the map but their sides are 3 and 4',
    )
    await expect(run({ side: 3, window: 3 })).rejects.toThrow(
      'window-position: x should hold whole maps of 3 x 3 rows but has 16',
    )
  })
})
