import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { resampleRowsBackwardRef, resampleRowsRef } from './resample.ref'

const from = { height: 3, width: 4 }
const map = [3, -1, 4, 1, 5, 9, -2, 6, -5, 3, 5, -8]
const square = [...map, 0, 2, 7, -4]

/** F.interpolate(torch.tensor(map).view(1, 1, 3, 4), size=(height, width), mode=mode, align_corners=False), torch 2.13. */
const toSize = [
  {
    mode: 'bilinear',
    height: 5,
    width: 3,
    want: [
      2.3333333, 1.5, 1.4999995, 3.6666667, 2.3, 2.7666669, 5.666667, 3.5, 4.6666679, 0.0666655, 3.8000002,
      -1.6333358, -3.6666665, 4, -5.8333354,
    ],
  },
  { mode: 'bilinear', height: 2, width: 2, want: [2.5, 2.375, 1, -0.625] },
  {
    mode: 'bicubic',
    height: 5,
    width: 3,
    want: [
      2.0102322, 1.2412503, 1.2155823, 4.3632956, 1.868376, 3.5117962, 5.7650476, 3.125, 4.6608844, 0.1049202,
      4.9891253, -1.698161, -4.8131313, 6.2417512, -7.1325383,
    ],
  },
  {
    mode: 'bicubic',
    height: 2,
    width: 6,
    want: [
      4.0067825, 2.5545654, 1.4022132, 2.2023616, 2.5958252, 2.6450064, -3.3042541, 1.1647949, 5.2711086,
      4.2294598, -0.8659668, -5.3342404,
    ],
  },
] as const

/** F.interpolate(torch.tensor(square).view(1, 1, 4, 4), scale_factor=(side + 0.1) / 4, ...): DINOv2's positions. */
const byFactor = [
  {
    mode: 'bicubic',
    side: 3,
    want: [
      2.9649129, 1.3226836, 2.2644403, 1.4954885, 5.1448383, -0.0886678, -1.279974, 5.4236069, -2.2723188,
    ],
  },
  {
    mode: 'bilinear',
    side: 3,
    want: [
      2.8782518, 1.6175857, 2.1105623, 1.4786683, 4.0621753, 0.2172222, -0.8418324, 4.0933919, -1.9302791,
    ],
  },
  {
    mode: 'bicubic',
    side: 5,
    want: [
      3.1619098, -0.9397915, 0.9701242, 4.1965365, 0.6010545, 5.4297051, 7.123908, 2.6829975, -0.1982146,
      6.178606, -0.247321, 5.9526944, 4.9645953, -0.4519806, -0.2371449, -5.3964186, -0.4540249, 5.9651313,
      3.3292339, -8.8871889, -0.0168273, 0.8466009, 5.416594, 5.1444039, -4.1446037,
    ],
  },
] as const

describe('resample oracle', () => {
  test.each(toSize)('agrees with torch for $mode to $height x $width', ({ mode, want, ...to }) => {
    expect(resampleRowsRef(map, 1, { from, to }, mode)).toBeClose(want, { rtol: 1e-6 })
  })

  test.each(byFactor)('agrees with torch for $mode by a factor that makes $side', ({ mode, side, want }) => {
    const sizes = { from: { height: 4, width: 4 }, to: { height: side, width: side } }
    const step = { y: 4 / (side + 0.1), x: 4 / (side + 0.1) }
    expect(resampleRowsRef(square, 1, { ...sizes, step }, mode)).toBeClose(want, { rtol: 1e-6 })
  })

  test('takes each map and channel by itself', () => {
    const to = { height: 5, width: 3 }
    const both = [...map, ...map.map((v) => 2 * v)].flatMap((v) => [v, -v])
    const once = toSize[0].want
    const want = [...once, ...once.map((v) => 2 * v)].flatMap((v) => [v, -v])
    expect(resampleRowsRef(both, 2, { batch: 2, from, to }, 'bilinear')).toBeClose(want, { rtol: 1e-6 })
  })

  test('its gradient agrees with torch', () => {
    // The same map to 5 x 3, bilinear, with the cotangent arange(15) - 7.
    const dy = Array.from({ length: 15 }, (_, i) => i - 7)
    expect(resampleRowsBackwardRef(dy, 1, { from, to: { height: 5, width: 3 } })).toBeClose(
      [
        -7.833333, -5.4666672, -4.9333324, -5.1666675, -1.5000004, -0.3000004, 0.2999994, 1.4999998, 5.166667,
        4.9333334, 5.4666657, 7.8333349,
      ],
      { rtol: 1e-6 },
    )
  })

  test.each([
    { from, to: { height: 5, width: 2 } },
    { from, to: { height: 2, width: 5 }, step: { y: 2, x: 0.7 } },
  ])('its gradient agrees with central differences for $to', (grids) => {
    const { x, dy } = seeded({ x: [24, 2], dy: [20, 2] })
    const numeric = finiteDifference(
      (at) => resampleRowsRef(at, 2, { ...grids, batch: 2 }, 'bilinear'),
      x,
      dy,
    )
    expect(resampleRowsBackwardRef(dy, 2, { ...grids, batch: 2 })).toBeClose(numeric, { rtol: 1e-7 })
  })
})
