import { describe, expect, test } from 'vitest'
import type { Encoder } from '../gpu/encoder'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded } from '../testing/numbers'
import { resampleRows, resampleRowsBackward } from './resample'
import { resampleCases } from './resample.cases'
import { resampleRowsBackwardRef, resampleRowsRef } from './resample.ref'

const cells = ({ height, width }: { height: number; width: number }) => height * width

describe('resample', () => {
  test.each(resampleCases)('matches the oracle for $batch x $from to $to, width $C', async (sizes) => {
    const { batch, from, to, C } = sizes
    const { x, dy } = seeded({ x: [batch * cells(from), C], dy: [batch * cells(to), C] })
    const got = await onGpu({ x, dy }, (enc, t) => ({
      bilinear: resampleRows(enc, t.x, { ...sizes, mode: 'bilinear' }),
      bicubic: resampleRows(enc, t.x, { ...sizes, mode: 'bicubic' }),
      dx: resampleRowsBackward(enc, t.dy, sizes),
    }))
    expect(got.bilinear).toBeClose(resampleRowsRef(x, C, sizes, 'bilinear'))
    expect(got.bicubic).toBeClose(resampleRowsRef(x, C, sizes, 'bicubic'))
    expect(got.dx).toBeClose(resampleRowsBackwardRef(dy, C, sizes))
  })

  test('the same size copies', async () => {
    const { x } = seeded({ x: [2 * 35, 8] })
    const grid = { height: 5, width: 7 }
    const got = await onGpu({ x }, (enc, t) => ({
      bilinear: resampleRows(enc, t.x, { batch: 2, from: grid, to: grid, mode: 'bilinear' }),
      bicubic: resampleRows(enc, t.x, { batch: 2, from: grid, to: grid, mode: 'bicubic' }),
    }))
    expect(got.bilinear).toEqual(Float32Array.from(x))
    expect(got.bicubic).toEqual(Float32Array.from(x))
  })

  test.each([{ columns: [4, 8, 12] }, { columns: [3, 8, 7] }])(
    'maps of $columns channels concatenate tile by tile',
    async ({ columns }) => {
      const to = { height: 6, width: 5 }
      const from = [
        { height: 3, width: 4 },
        { height: 6, width: 5 },
        { height: 9, width: 2 },
      ]
      const { a, b, c } = seeded({
        a: [2 * cells(from[0]!), columns[0]!],
        b: [2 * cells(from[1]!), columns[1]!],
        c: [2 * cells(from[2]!), columns[2]!],
      })
      const W = columns.reduce((sum, width) => sum + width)
      const [first, second] = [
        { start: 0, count: 23 },
        { start: 23, count: 37 },
      ]
      const got = await onGpu({ a, b, c }, (enc, t) => {
        const tile = (rows: { start: number; count: number }) => {
          const tensor = enc.temp([rows.count, W])
          let column = 0
          for (const [k, x] of [t.a, t.b, t.c].entries()) {
            const into = { tensor, column }
            resampleRows(enc, x, { batch: 2, from: from[k]!, to, mode: 'bilinear', rows, into })
            column += columns[k]!
          }
          return tensor
        }
        return { first: tile(first!), second: tile(second!) }
      })
      const maps = [a, b, c].map((x, k) =>
        resampleRowsRef(x, columns[k]!, { batch: 2, from: from[k]!, to }, 'bilinear'),
      )
      const wide: number[] = []
      for (let r = 0; r < 60; r++) {
        for (const [k, map] of maps.entries()) wide.push(...map.slice(r * columns[k]!, (r + 1) * columns[k]!))
      }
      expect(got.first).toBeClose(wide.slice(0, 23 * W))
      expect(got.second).toBeClose(wide.slice(23 * W))
    },
  )

  test('many short dispatches in folded grids make the same maps', async () => {
    const sizes = { batch: 2, from: { height: 9, width: 8 }, to: { height: 12, width: 13 } }
    const { x, dy } = seeded({ x: [144, 132], dy: [312, 132] })
    let dispatches = 0
    const got = await onGpu({ x, dy }, (enc, t) =>
      withGridLimit(enc.gpu, 3, () =>
        withFlopLimit(enc, 132 * 2 * 16 * 60, () => {
          const outputs = {
            bilinear: resampleRows(enc, t.x, { ...sizes, mode: 'bilinear' }),
            bicubic: resampleRows(enc, t.x, { ...sizes, mode: 'bicubic' }),
            dx: resampleRowsBackward(enc, t.dy, sizes),
          }
          dispatches = enc.dispatches
          return outputs
        }),
      ),
    )
    expect(dispatches).toBeGreaterThanOrEqual(2 + 6 + 3)
    expect(got.bilinear).toBeClose(resampleRowsRef(x, 132, sizes, 'bilinear'))
    expect(got.bicubic).toBeClose(resampleRowsRef(x, 132, sizes, 'bicubic'))
    expect(got.dx).toBeClose(resampleRowsBackwardRef(dy, 132, sizes))
  })

  test('refuses rows and columns that do not exist', async () => {
    const { x, wide } = seeded({ x: [4, 4], wide: [9, 7] })
    const grids = { from: { height: 2, width: 2 }, to: { height: 3, width: 3 }, mode: 'bilinear' } as const
    await expect(
      onGpu({ x }, (enc, t) => ({ y: resampleRows(enc, t.x, { ...grids, rows: { start: 5, count: 5 } }) })),
    ).rejects.toThrow('resample: rows 5 to 10 should lie within the 9 of the new maps')
    await expect(
      onGpu({ x, wide }, (enc, t) => ({
        y: resampleRows(enc, t.x, { ...grids, into: { tensor: t.wide, column: 4 } }),
      })),
    ).rejects.toThrow('resample: columns 4 to 8 should lie within the 7 of the tensor written into')
    await expect(
      onGpu({ x }, (enc, t) => ({
        y: resampleRows(enc, t.x, { ...grids, to: { height: 0, width: 3 } }),
      })),
    ).rejects.toThrow('resample: batch, sides and steps should be above 0')
  })
})

/** Records as for a device that may run only so many operations a dispatch. */
function withFlopLimit<T>(enc: Encoder, limit: number, record: () => T): T {
  const caps = enc.gpu.caps as { maxDispatchFlops: number }
  const real = caps.maxDispatchFlops
  caps.maxDispatchFlops = limit
  try {
    return record()
  } finally {
    caps.maxDispatchFlops = real
  }
}
