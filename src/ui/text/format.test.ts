import { describe, expect, test } from 'vitest'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatParameters,
  formatRate,
  formatTimeLeft,
  formatTokenRate,
  plural,
  towerName,
} from './format'

describe('format', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [9_263_152, '9.3 MB'],
    [99_960_000, '100 MB'],
    [999_600_000, '1.0 GB'],
    [14_125_805_568, '14.1 GB'],
    [-1, '–'],
    [NaN, '–'],
    [Infinity, '–'],
  ])('bytes %d', (value, text) => expect(formatBytes(value)).toBe(text))

  test.each([
    [704, '704'],
    [74_112, '74 k'],
    [4_622_400, '4.6 M'],
    [863_965_728, '864 M'],
    [7_062_902_784, '7.06 B'],
  ])('parameters %d', (value, text) => expect(formatParameters(value)).toBe(text))

  test.each([
    [0, 'a few seconds'],
    [4.9, 'a few seconds'],
    [41, '45 s'],
    [89, '90 s'],
    [150, '3 min'],
    [3600, '1 h'],
    [4800, '1 h 20 min'],
    [Infinity, 'unknown'],
  ])('time left %d', (value, text) => expect(formatTimeLeft(value)).toBe(text))

  test.each([
    [83.6, '84 ms'],
    [999.6, '1.00 s'],
    [1320, '1.32 s'],
    [59_949, '59.9 s'],
    [59_960, '1 min 0 s'],
    [125_000, '2 min 5 s'],
  ])('duration %d', (value, text) => expect(formatDuration(value)).toBe(text))

  test('rates and counts', () => {
    expect(formatRate(12_400_000)).toBe('12.4 MB/s')
    expect(formatRate(0)).toBe('–')
    expect(formatTokenRate(41.23)).toBe('41.2 tokens/s')
    expect(formatTokenRate(0.854)).toBe('0.85 tokens/s')
    expect(formatTokenRate(0)).toBe('–')
    expect(formatCount(4096)).toBe('4,096')
    expect(plural(1, 'token')).toBe('1 token')
    expect(plural(2, 'token')).toBe('2 tokens')
  })
})

test('a tower in a folder is called as the folder, any other as its repository', () => {
  expect(towerName('./towers/clip')).toBe('clip')
  expect(towerName('./towers/convnext-multi-stage/')).toBe('convnext-multi-stage')
  expect(towerName('facebook/dinov2-giant-res378')).toBe('facebook/dinov2-giant-res378')
  expect(towerName('clip_vision_model')).toBe('clip_vision_model')
})
