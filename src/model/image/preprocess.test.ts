import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { nodeCodecLoader } from '../../cli/codecs-node'
import { createCodecs } from './codecs'
import { decodeImage } from './decode'
import type { RgbImage } from './image'
import { expand2square, meanColour } from './pad'
import { centerCrop, preprocess } from './preprocess'
import { parseImageProcessor } from './processor'

const codecs = createCodecs(nodeCodecLoader)
const referenceUrl = new URL('golden/reference/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, referenceUrl))
const readJson = (path: string) => JSON.parse(read(path).toString()) as unknown

interface Case {
  case: string
  /** LLaVA's own `image_aspect_ratio: pad`, which its config.json says, not the preprocessor's. */
  padToSquare: boolean
  /** The library that resized the recorded pictures. */
  backend: 'pil' | 'torchvision'
  pictures: { file: string; tensor: string; row: number }[]
}

/** One picture's recorded tensor. Shapes: [3, height, width]. */
function readExpected(path: string, tensor: string, row: number): { shape: number[]; values: Float32Array } {
  const bytes = gunzipSync(read(path))
  const headerLength = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString()) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >
  const { shape, data_offsets } = header[tensor]!
  const data = bytes.subarray(8 + headerLength + data_offsets[0], 8 + headerLength + data_offsets[1])
  const values = new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength))
  const [, ...rest] = shape
  const size = rest.reduce((a, b) => a * b, 1)
  return { shape: rest, values: values.subarray(row * size, (row + 1) * size) }
}

const cases = (readJson('cases.json') as Case[]).flatMap((c) => c.pictures.map((p) => ({ ...c, ...p })))

describe('pixel values', () => {
  it.each(cases)('$case $file', async (c) => {
    const config = parseImageProcessor(readJson(`${c.case}/preprocessor_config.json`))
    const image = await decodeImage(read(`${c.case}/${c.file}`), codecs)
    const got = preprocess(image, { ...config, padToSquare: c.padToSquare })
    const expected = readExpected(`${c.case}/expected.safetensors.gz`, c.tensor, c.row)
    expect([3, got.height, got.width]).toEqual(expected.shape)
    let sum = 0
    let max = 0
    expected.values.forEach((value, i) => {
      const difference = Math.abs(value - got.pixels[i]!)
      sum += difference
      max = Math.max(max, difference)
    })
    const mean = sum / got.pixels.length
    if (c.backend === 'pil') {
      expect({ mean, max }).toEqual({ mean: 0, max: 0 })
    } else {
      // torchvision's weights have fewer bits than PIL's: single pixels round to a neighbouring level.
      // Measured: means up to 2.4e-4, one level in all cases but vision-dinov2-swiglu, which has two.
      const level = 1 / 255 / Math.min(...config.std)
      expect(mean).toBeLessThan(3e-4)
      expect(max).toBeLessThan(2.01 * level)
    }
  })
})

/** A picture of one channel's values; the other channels follow at +1 and +2. */
function picture(rows: number[][]): RgbImage {
  const data = Uint8Array.from(rows.flat().flatMap((v) => [v, v + 1, v + 2]))
  return { width: rows[0]!.length, height: rows.length, channels: 3, data }
}

function reds(image: RgbImage): number[][] {
  const { width, height, data } = image
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => data[(y * width + x) * 3]!),
  )
}

describe('centerCrop', () => {
  const threeByFour = picture([[10, 20, 30, 40], [50, 60, 70, 80], [90, 100, 110, 120]]) // prettier-ignore

  it('rounds the offset down when it cuts', () => {
    expect(reds(centerCrop(threeByFour, 2, 1))).toEqual([[20], [60]])
  })

  it('rounds the offset up when it surrounds with black', () => {
    expect(reds(centerCrop(threeByFour, 4, 5))).toEqual([
      [0, 0, 0, 0, 0],
      [0, 10, 20, 30, 40],
      [0, 50, 60, 70, 80],
      [0, 90, 100, 110, 120],
    ])
  })

  it('cuts one side while it surrounds the other', () => {
    expect(reds(centerCrop(threeByFour, 6, 2))).toEqual([
      [0, 0],
      [0, 0],
      [20, 30],
      [60, 70],
      [100, 110],
      [0, 0],
    ])
  })
})

describe('expand2square', () => {
  it('puts the odd remainder to the bottom or the right', () => {
    expect(reds(expand2square(picture([[10, 20, 30, 40]]), [7, 8, 9]))).toEqual([
      [7, 7, 7, 7],
      [10, 20, 30, 40],
      [7, 7, 7, 7],
      [7, 7, 7, 7],
    ])
    expect(reds(expand2square(picture([[10], [20]]), [7, 8, 9]))).toEqual([
      [10, 7],
      [20, 7],
    ])
    expect([...expand2square(picture([[10], [20]]), [7, 8, 9]).data.subarray(3, 6)]).toEqual([7, 8, 9])
  })

  it('takes the mean colour, truncated', () => {
    expect(meanColour([0.48145466, 0.4578275, 0.40821073])).toEqual([122, 116, 104])
    expect(meanColour([0.5, 0.5, 0.5])).toEqual([127, 127, 127])
  })
})

describe('preprocess', () => {
  it('leaves out the steps a config turns off', () => {
    const config = { image_processor_type: 'CLIPImageProcessor', do_resize: false, do_center_crop: false }
    const plain = parseImageProcessor({ ...config, do_rescale: false, do_normalize: false })
    const { pixels, height, width } = preprocess(picture([[10, 20]]), plain)
    expect({ height, width, pixels: [...pixels] }).toEqual({
      height: 1,
      width: 2,
      pixels: [10, 20, 11, 21, 12, 22],
    })
    const scaled = parseImageProcessor({ ...config, do_normalize: false })
    expect(preprocess(picture([[255]]), scaled).pixels[0]).toBe(1 / 1)
  })

  it('truncates the longer side and refuses extreme shapes', () => {
    const config = {
      image_processor_type: 'CLIPImageProcessor',
      do_center_crop: false,
      size: { shortest_edge: 5 },
    }
    const long = preprocess(picture([[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 6, 7]]), parseImageProcessor(config)) // prettier-ignore
    expect([long.height, long.width]).toEqual([5, 11]) // 5 * 7 / 3 = 11.67
    const line = { width: 1, height: 100_000, channels: 3 as const, data: new Uint8Array(300_000) }
    const clip = parseImageProcessor({ image_processor_type: 'CLIPImageProcessor' })
    expect(() => preprocess(line, clip)).toThrow(/1 x 100000 would become 224 x 22400000/)
  })
})
