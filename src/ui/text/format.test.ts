import { describe, expect, test } from 'vitest'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatParameters,
  formatPercent,
  formatPlain,
  formatRate,
  formatTimeLeft,
  formatTokenRate,
  plural,
  towerName,
} from './format'
import { messagesOf } from './messages'

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

test.each([
  ['de', '14,1 GB', '999 B', '7,06 Mrd.', '4.096', '0,7', '2,3 %', '1,5 MB/s', '1,32 s', '41,2 Token/s'],
  ['fr', '14,1 Go', '999 o', '7,06 Md', '4 096', '0,7', '2,3 %', '1,5 Mo/s', '1,32 s', '41,2 tokens/s'],
  ['es', '14,1 GB', '999 B', '7060 M', '4096', '0,7', '2,3 %', '1,5 MB/s', '1,32 s', '41,2 tokens/s'],
  ['zh', '14.1 GB', '999 B', '70.6亿', '4,096', '0.7', '2.3%', '1.5 MB/秒', '1.32 秒', '41.2 token/秒'],
] as const)('numbers in %s', (language, ...expected) => {
  const notation = messagesOf(language)
  const shown = [
    formatBytes(14_125_805_568, notation),
    formatBytes(999, notation),
    formatParameters(7_062_902_784, notation),
    formatCount(4096, notation),
    formatPlain(0.7, notation),
    formatPercent(0.023, notation, 1),
    formatRate(1.5e6, notation),
    formatDuration(1320, notation),
    formatTokenRate(41.23, notation),
  ]
  // Which kind of space stands where is the language's own business.
  expect(shown.map((text) => text.replace(/\s/g, ' '))).toEqual(expected)
})

test.each([
  ['de', 'wenige Sekunden', '45 s', '3 Min.', '1 Std.', '1 Std. 20 Min.', 'unbekannt lange'],
  ['fr', 'quelques secondes', '45 s', '3 min', '1 h', '1 h 20 min', 'inconnu'],
  ['es', 'unos segundos', '45 s', '3 min', '1 h', '1 h 20 min', 'desconocido'],
  ['zh', '几秒', '45 秒', '3 分钟', '1 小时', '1 小时 20 分钟', '未知'],
] as const)('time left in %s', (language, ...expected) => {
  const times = [2, 41, 150, 3600, 4800, Infinity]
  expect(times.map((seconds) => formatTimeLeft(seconds, messagesOf(language)))).toEqual(expected)
})

test('a seed stays whole in every language', () => {
  expect(formatPlain(2147483646, messagesOf('de'))).toBe('2147483646')
})

test('a tower in a folder is called as the folder, any other as its repository', () => {
  expect(towerName('./towers/clip')).toBe('clip')
  expect(towerName('./towers/convnext-multi-stage/')).toBe('convnext-multi-stage')
  expect(towerName('facebook/dinov2-giant-res378')).toBe('facebook/dinov2-giant-res378')
  expect(towerName('clip_vision_model')).toBe('clip_vision_model')
})
