import { describe, expect, test } from 'vitest'
import type { PictureConnector, RowLayout } from './connector/definition'
import type { TowerBlueprint } from './family/definition'
import { parseImageProcessor } from './image/processor'
import { areaRegion, cellsOf, rowLayout, shownRegion } from './picture-layout'

const CLIP = parseImageProcessor({
  image_processor_type: 'CLIPImageProcessor',
  size: { shortest_edge: 336 },
  crop_size: { height: 336, width: 336 },
})
const SQUASH = parseImageProcessor({
  image_processor_type: 'SiglipImageProcessor',
  size: { height: 384, width: 384 },
})
const PAD = { ...CLIP, padToSquare: true }

describe('the part of a picture that towers see', () => {
  test('of a centre crop is the middle', () => {
    // 640 x 480 becomes 448 x 336, of which columns 56 to 392 stay.
    expect(shownRegion({ width: 640, height: 480 }, CLIP)).toEqual({
      left: 56 / 448,
      right: 392 / 448,
      top: 0,
      bottom: 1,
    })
    const tall = shownRegion({ width: 300, height: 901 }, CLIP)
    // The longer side is truncated: 1009, of which floor(673 / 2) = 336 are cut above.
    expect(tall).toEqual({ left: 0, right: 1, top: 336 / 1009, bottom: 672 / 1009 })
  })

  test('of a squashed picture is all of it', () => {
    expect(shownRegion({ width: 1000, height: 20 }, SQUASH)).toEqual({ left: 0, top: 0, right: 1, bottom: 1 })
  })

  test('of a padded picture reaches past its shorter sides, an odd remainder to the end', () => {
    const wide = shownRegion({ width: 101, height: 50 }, PAD)
    expect(wide).toEqual({ left: 0, right: 1, top: -25 / 50, bottom: (101 - 25) / 50 })
    const tall = shownRegion({ width: 50, height: 100 }, { ...SQUASH, padToSquare: true })
    expect(tall).toEqual({ left: -0.5, right: 1.5, top: 0, bottom: 1 })
  })

  test('of a crop larger than the picture reaches past it', () => {
    const crop = { ...CLIP, resize: undefined, centerCrop: { height: 30, width: 31 } }
    // floor(-11 / 2) = -6 columns before the picture.
    expect(shownRegion({ width: 20, height: 30 }, crop)).toEqual({
      left: -6 / 20,
      right: 25 / 20,
      top: 0,
      bottom: 1,
    })
  })

  test('is divided evenly among cells', () => {
    const shown = { left: -0.5, right: 1.5, top: 0, bottom: 1 }
    expect(areaRegion(shown, { top: 0, left: 1, rows: 4, columns: 2 }, 4)).toEqual({
      left: 0,
      right: 1,
      top: 0,
      bottom: 1,
    })
  })
})

describe('the cells of prompt rows', () => {
  const tower = (config: Partial<TowerBlueprint['tower']['config']>, dropsFirstRow: boolean) =>
    ({ dropsFirstRow, tower: { config } }) as unknown as TowerBlueprint
  const size = { width: 4, height: 3 }
  const plain = {} as PictureConnector
  const layout = (cls: boolean, drops: boolean) =>
    rowLayout(plain, [tower({ patchTokens: 9, hasClsToken: cls }, drops)], size)
  const rows = (count: number) => Array.from({ length: count }, (_, row) => row + 1)

  test('are the patches where the class token is cut', () => {
    expect([...cellsOf(rows(9), layout(true, true))]).toEqual(rows(9))
  })

  test('start behind a class token that stays', () => {
    expect([...cellsOf(rows(10), layout(true, false))]).toEqual(rows(10).slice(1))
  })

  test('lack the first patch where that is cut in place of a class token', () => {
    expect([...cellsOf(rows(8), layout(false, true))]).toEqual([0, ...rows(8)])
  })

  test('skip the newline behind each row', () => {
    const newlines: RowLayout = {
      side: 3,
      area: { top: 0, left: 0, rows: 2, columns: 3 },
      first: 0,
      stride: 4,
    }
    const connector = { layout: () => newlines } as unknown as PictureConnector
    expect([...cellsOf(rows(8), rowLayout(connector, [], size))]).toEqual([1, 2, 3, 5, 6, 7])
  })

  test.each([
    [[tower({ patchTokens: 10, hasClsToken: true }, true)], '10 patches'],
    [
      [
        tower({ patchTokens: 9, hasClsToken: true }, true),
        tower({ patchTokens: 9, hasClsToken: true }, true),
      ],
      '2 towers',
    ],
  ])('are refused where they are no map', (towers, named) => {
    expect(() => rowLayout(plain, towers, size)).toThrow(named)
  })
})
