import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { resize, type ResampleFilter } from './resize'
import type { RgbImage } from './image'

interface Case {
  kind: 'noise' | 'edges'
  seed: number
  from: [width: number, height: number]
  to: [width: number, height: number]
  resample: number
  sha256: string
}

const golden = JSON.parse(readFileSync(new URL('golden/pillow.json', import.meta.url), 'utf8')) as {
  pillow: string
  resize: Case[]
}

const FILTERS: ResampleFilter[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming']

/** The same bytes as `noise` and `edges` in golden/make.py. */
function makePicture({ kind, seed, from: [width, height] }: Case): RgbImage {
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < data.length; i++) {
    let v = (Math.imul(i, 0x9e3779b1) + Math.imul(seed, 0x85ebca6b)) >>> 0
    v = Math.imul(v ^ (v >>> 15), 0x2c1b3ce5) >>> 0
    v = (v ^ (v >>> 13)) >>> 8
    data[i] = kind === 'noise' ? v : ((v & 0xff) >> 7) * 255
  }
  return { width, height, channels: 3, data }
}

describe(`resize equals Pillow ${golden.pillow} in every byte`, () => {
  it.each(golden.resize)('$kind $from → $to, filter $resample', (c) => {
    const out = resize(makePicture(c), ...c.to, FILTERS[c.resample]!)
    expect([out.width, out.height]).toEqual(c.to)
    expect(createHash('sha256').update(out.data).digest('hex')).toBe(c.sha256)
  })
})

describe('resize', () => {
  const dot: RgbImage = { width: 1, height: 1, channels: 3, data: new Uint8Array([1, 2, 3]) }

  it('refuses sizes without area', () => {
    expect(() => resize(dot, 0, 5, 'bicubic')).toThrow(
      /resize: expected a whole size of at least 1 x 1, got 0 x 5/,
    )
    expect(() => resize(dot, 2.5, 5, 'bicubic')).toThrow(/2\.5 x 5/)
  })

  it('refuses to blow a picture up beyond the pixel limit', () => {
    expect(() => resize(dot, 224, 1_000_000, 'bicubic')).toThrow(/more than 100 megapixels/)
  })
})
