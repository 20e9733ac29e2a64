import { expect, test } from 'vitest'
import { rowTiles } from './row-tiles'

const caps = { offsetAlignment: 256, maxBindingBytes: 2 ** 27 }

test.each([
  // A 256 x 256 map of 384 channels, whose MLP is 1536 wide: 10,922 rows would be 64 MiB, each of them may start a binding.
  [65_536, { rowBytes: 1536, heldBytes: 6144, limitBytes: 2 ** 26 }, 10_922, 7],
  // Rows of 48 bytes may start one every 16 rows.
  [255, { rowBytes: 48, heldBytes: 192, limitBytes: 192 * 40 }, 32, 8],
  // Not even one step fits the limit: it is what there is.
  [40, { rowBytes: 4, heldBytes: 400, limitBytes: 1 }, 64, 1],
  // The device binds less than the limit.
  [100, { rowBytes: 256, heldBytes: 2 ** 26, limitBytes: 2 ** 30 }, 2, 50],
])('%i rows as %o', (rows, sizes, size, count) => {
  const tiles = rowTiles(caps, rows, sizes)
  expect(tiles).toHaveLength(count)
  let next = 0
  for (const tile of tiles) {
    expect(tile.start).toBe(next)
    expect((tile.start * sizes.rowBytes) % caps.offsetAlignment).toBe(0)
    expect(tile.count).toBeLessThanOrEqual(size)
    next += tile.count
  }
  expect(next).toBe(rows)
})
