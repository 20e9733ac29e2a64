import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded } from '../testing/numbers'
import { embedPatches, patchify, spaceToDepth } from './patch-embed'
import { embedPatchesCases, patchifyCases, spaceToDepthCases } from './patch-embed.cases'
import { embedPatchesRef, patchifyRef, spaceToDepthRef } from './patch-embed.ref'

describe('patchify', () => {
  test.each(patchifyCases)('matches the oracle for $pixels by $P', async ({ pixels: shape, P }) => {
    const { pixels } = seeded({ pixels: shape })
    const got = await onGpu({ pixels }, (enc, t) => ({ patches: patchify(enc, t.pixels, P) }))
    expect(got.patches).toBeClose(patchifyRef(pixels, shape, P))
  })

  test('its rows have the width of the weight', async () => {
    const { pixels } = seeded({ pixels: [2, 3, 90, 50] })
    await onGpu({ pixels }, (enc, t) => {
      expect(patchify(enc, t.pixels, 14).shape).toEqual([2 * 6 * 3, 3 * 14 * 14])
      return {}
    })
  })

  test('refuses a picture smaller than a patch', async () => {
    const { pixels } = seeded({ pixels: [1, 3, 16, 8] })
    await expect(onGpu({ pixels }, (enc, t) => ({ patches: patchify(enc, t.pixels, 14) }))).rejects.toThrow(
      'patchify: pictures of 16 x 8 should hold a whole patch but its side is 14',
    )
  })
})

describe('space-to-depth', () => {
  test.each(spaceToDepthCases)(
    'matches the oracle for $batch maps of $height x $width x $C by $block',
    async (sizes) => {
      const { batch, height, width, block, C } = sizes
      const { x } = seeded({ x: [batch * height * width, C] })
      const got = await onGpu({ x }, (enc, t) => {
        const y = spaceToDepth(enc, t.x, sizes)
        const rows = batch * Math.floor(height / block) * Math.floor(width / block)
        expect(y.shape).toEqual([rows, C * block * block])
        return { y }
      })
      expect(got.y).toBeClose(spaceToDepthRef(x, sizes))
    },
  )

  test('refuses a map smaller than a block', async () => {
    const { x } = seeded({ x: [6, 4] })
    const sizes = { batch: 1, height: 2, width: 3, block: 3 }
    await expect(onGpu({ x }, (enc, t) => ({ y: spaceToDepth(enc, t.x, sizes) }))).rejects.toThrow(
      'space-to-depth: maps of 2 x 3 should hold a whole block but its side is 3',
    )
  })
})

describe('embed-patches', () => {
  test.each(embedPatchesCases)('matches the oracle for $B pictures of [$n, $C]', async ({ B, n, C }) => {
    const { patches, position, cls } = seeded({ patches: [B * n, C], position: [n + 1, C], cls: [C] })
    const got = await onGpu({ patches, position, cls }, (enc, t) => ({
      withCls: embedPatches(enc, t.patches, t.position, t.cls),
      without: embedPatches(enc, t.patches, { ...t.position, shape: [n, C] }),
    }))
    expect(got.withCls).toBeClose(embedPatchesRef(patches, position, C, cls))
    expect(got.without).toBeClose(embedPatchesRef(patches, position.slice(0, n * C), C))
  })

  test('refuses patches that are no whole pictures', async () => {
    const { patches, position } = seeded({ patches: [7, 4], position: [3, 4] })
    await expect(
      onGpu({ patches, position }, (enc, t) => ({ y: embedPatches(enc, t.patches, t.position) })),
    ).rejects.toThrow('embed-patches: patches should hold whole pictures of 3 rows but has 7')
  })
})

test('patch-embed: a folded grid reaches every element once', async () => {
  const { pixels, patches, position, cls } = seeded({
    pixels: [1, 3, 60, 60],
    patches: [8, 1024],
    position: [5, 1024],
    cls: [1024],
  })
  const got = await onGpu({ pixels, patches, position, cls }, (enc, t) =>
    withGridLimit(enc.gpu, 4, () => ({
      cut: patchify(enc, t.pixels, 14),
      pairs: spaceToDepth(enc, t.patches, { batch: 1, height: 4, width: 2, block: 2 }),
      cells: spaceToDepth(enc, t.patches, { batch: 1, height: 4, width: 2, block: 1 }),
      y: embedPatches(enc, t.patches, t.position, t.cls),
    })),
  )
  expect(got.cut).toBeClose(patchifyRef(pixels, [1, 3, 60, 60], 14))
  expect(got.pairs).toBeClose(spaceToDepthRef(patches, { batch: 1, height: 4, width: 2, block: 2 }))
  expect(got.cells).toBeClose(patches)
  expect(got.y).toBeClose(embedPatchesRef(patches, position, 1024, cls))
})
