import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { nodeCodecLoader } from '../../cli/codecs-node'
import { createCodecs, type CodecName } from './codecs'
import { decodeImage } from './decode'

const codecs = createCodecs(nodeCodecLoader)
const goldenUrl = new URL('golden/', import.meta.url)
const readGolden = (path: string) => new Uint8Array(readFileSync(new URL(path, goldenUrl)))
const golden = JSON.parse(readFileSync(new URL('pillow.json', goldenUrl), 'utf8')) as {
  pillow: string
  decode: { file: string; mode: string; size: [number, number]; sha256: string }[]
}

describe(`decodeImage equals Pillow ${golden.pillow} in every byte`, () => {
  it.each(golden.decode.filter((c) => c.mode !== 'CMYK'))('$file (mode $mode)', async (c) => {
    const image = await decodeImage(readGolden(`decode/${c.file}`), codecs)
    expect([image.width, image.height]).toEqual(c.size)
    expect(image.data.length).toBe(c.size[0] * c.size[1] * 3)
    expect(createHash('sha256').update(image.data).digest('hex')).toBe(c.sha256)
  })
})

const ascii = (text: string) => new TextEncoder().encode(text)
const bytesOf = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0))

describe('decodeImage says what came', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['empty', new Uint8Array(0), /got an empty file/],
    ['text', ascii('The quick brown fox — naïve\n'), /got a text file/],
    ['SVG', ascii('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'), /got an SVG drawing/],
    ['web page', ascii('<!doctype html><title>404</title>'), /got a web page/],
    ['HEIC', bytesOf('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), /got a HEIC picture/],
    ['AVIF', bytesOf('\0\0\0\x1cftypavif\0\0\0\0avifmif1'), /got an AVIF picture/],
    ['video', bytesOf('\0\0\0\x1cftypisom\0\0\x02\0isomiso2'), /got a video/],
    ['BMP', bytesOf('BM\x36\0\0\0\0\0\0\0'), /got a BMP picture/],
    ['TIFF', bytesOf('II*\0\x08\0\0\0'), /got a TIFF picture/],
    ['PDF', ascii('%PDF-1.7\n'), /got a PDF document/],
    ['sound', bytesOf('RIFF\x24\0\0\0WAVEfmt '), /got a sound or video file/],
    ['nonsense', new Uint8Array([0, 1, 2, 3, 4, 5]), /unknown kind \(6 bytes beginning 00 01 02 03\)/],
  ])('%s', async (_, bytes, message) => {
    const failure = decodeImage(bytes, codecs)
    await expect(failure).rejects.toMatchObject({ name: 'ImageError' })
    await expect(failure).rejects.toThrow(message)
    await expect(failure).rejects.toThrow(/Use a PNG, JPEG, WebP or GIF picture/)
  })

  it('CMYK', async () => {
    await expect(decodeImage(readGolden('decode/cmyk.jpg'), codecs)).rejects.toThrow(
      /got one in CMYK .*Convert it to RGB/,
    )
  })
})

describe('decodeImage refuses files that are cut short', () => {
  const files = [
    'subsampling-2.jpg',
    'progressive.jpg',
    'rgb.png',
    'lossy.webp',
    'animated.webp',
    'long-codes.gif',
  ]
  it.each(files)('%s', async (file) => {
    const whole = readGolden(`decode/${file}`)
    for (const length of [12, 40, Math.floor(whole.length / 2), whole.length - 24]) {
      const failure = decodeImage(whole.subarray(0, length), codecs)
      await expect(failure).rejects.toMatchObject({ name: 'ImageError' })
      await expect(failure).rejects.toThrow(`cut short at ${length} bytes`)
    }
    // The codec is still good for the next picture.
    await expect(decodeImage(whole, codecs)).resolves.toMatchObject({ channels: 3 })
  })
})

describe('decodeImage refuses damage', () => {
  it('PNG with a wrong checksum', async () => {
    const bytes = readGolden('decode/rgb.png')
    bytes[60]! ^= 0xff
    await expect(decodeImage(bytes, codecs)).rejects.toThrow(/got a damaged or unusual one/)
  })

  it('JPEG without tables', async () => {
    const bytes = readGolden('decode/grey.jpg')
    const table = bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === 0xdb)
    bytes[table + 1] = 0xfe // the quantisation table becomes a comment
    await expect(decodeImage(bytes, codecs)).rejects.toThrow(/damaged or unusual one \(Quantization table/)
  })

  it('WebP with a wrong bitstream', async () => {
    const bytes = readGolden('decode/lossy.webp')
    bytes.fill(0, 20, 26)
    await expect(decodeImage(bytes, codecs)).rejects.toThrow(/readable WebP file, got a damaged/)
  })

  it('GIF without a picture', async () => {
    await expect(decodeImage(bytesOf('GIF89a\x01\0\x01\0\0\0\0;'), codecs)).rejects.toThrow(
      /it holds no picture/,
    )
  })
})

describe('decodeImage refuses what would not fit, before decoding', () => {
  const neverCodecs = createCodecs(() => Promise.reject(new Error('no codec must be loaded')))
  const withSize = (file: string, at: number, big: number[]) => {
    const bytes = readGolden(`decode/${file}`)
    bytes.set(big, at)
    return bytes
  }
  const frameHeader = (bytes: Uint8Array) => bytes.findIndex((b, i) => b === 0xff && bytes[i + 1] === 0xc0)

  it.each([
    ['PNG', withSize('rgb.png', 16, [0, 0, 0x80, 0, 0, 0, 0x80, 0])],
    ['JPEG', withSize('grey.jpg', frameHeader(readGolden('decode/grey.jpg')) + 5, [0xff, 0, 0xff, 0])],
    ['WebP', withSize('animated.webp', 24, [0xff, 0xff, 0, 0xff, 0xff, 0])],
    ['GIF', withSize('plain.gif', 6, [0xff, 0xff, 0xff, 0xff])],
  ])('%s', async (_, bytes) => {
    await expect(decodeImage(bytes, neverCodecs)).rejects.toThrow(
      /at most 100 megapixels.*Make the picture smaller/,
    )
  })

  it('a picture without area', async () => {
    const bytes = withSize('rgb.png', 16, [0, 0, 0, 0])
    await expect(decodeImage(bytes, neverCodecs)).rejects.toThrow(/a picture with an area, got 0 x 29/)
  })
})

describe('codecs', () => {
  it('are loaded when first needed, once, and again after a failed load', async () => {
    const loads: CodecName[] = []
    const lazy = createCodecs((name) => {
      loads.push(name)
      return loads.length === 1 ? Promise.reject(new Error('offline')) : nodeCodecLoader(name)
    })
    await decodeImage(readGolden('decode/plain.gif'), lazy)
    expect(loads).toEqual([])
    const jpeg = readGolden('decode/grey.jpg')
    await expect(decodeImage(jpeg, lazy)).rejects.toThrow('offline')
    await Promise.all([decodeImage(jpeg, lazy), decodeImage(jpeg, lazy)])
    expect(loads).toEqual(['jpeg', 'jpeg'])
  })
})
