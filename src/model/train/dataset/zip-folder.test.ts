import { describe, expect, test } from 'vitest'
import { openDataset } from './index'
import { accessOf, utf8, zipOf } from './testing/bytes'
import { crc32 } from './zip-entry'
import { openZip } from './zip-folder'

const ROWS = Array.from({ length: 300 }, (_, i) => ({
  image: `images/${i % 2}.jpg`,
  caption: `Caption ${i} é`,
}))
const HELD_OUT = [{ image: 'images/0.jpg', caption: 'Held out' }]
const CONTENTS = {
  'set/train.json': JSON.stringify(ROWS, null, 1),
  'set/val.json': JSON.stringify(HELD_OUT),
  'set/images/0.jpg': 'zero'.repeat(100),
  'set/images/1.jpg': 'one',
  '__MACOSX/set/._train.json': 'x',
}

/** Overwrites 4 bytes at an offset from each central directory header of a path. */
function patch(zip: Uint8Array<ArrayBuffer>, path: string, offset: number, value: number) {
  const view = new DataView(zip.buffer)
  const name = new TextEncoder().encode(path)
  for (let at = 0; at + 46 + name.length <= zip.length; at++) {
    if (view.getUint32(at, true) !== 0x02014b50) continue
    if (name.every((byte, i) => zip[at + 46 + i] === byte)) view.setUint32(at + offset, value, true)
  }
  return zip
}
const CRC = 16
const COMPRESSED_BYTES = 20
const UNCOMPRESSED_BYTES = 24

describe.each([
  ['deflated', () => false],
  ['stored', () => true],
])('a zip of %s files', (_, stored) => {
  test('is read an entry at a time', async () => {
    const zip = await zipOf(CONTENTS, { stored })
    const dataset = await openDataset({ kind: 'zip', file: new File([zip], 'cats.zip') })
    expect(dataset.name).toBe('cats')
    expect(dataset.length).toBe(300)
    expect((await dataset.scan()).usable.length).toBe(300)
    const sample = await dataset.sample(123)
    expect(sample.conversations[1]!.value).toBe('Caption 123 é')
    expect(await dataset.image(sample.image!)).toEqual(utf8('one'))
    expect(await dataset.image('images/0.jpg')).toEqual(utf8('zero'.repeat(100)))
    expect((await dataset.heldOut!.sample(0)).conversations[1]!.value).toBe('Held out')
    await dataset.close?.()
  })

  test('is refused where bytes are damaged', async () => {
    const zip = patch(await zipOf(CONTENTS, { stored }), 'set/images/1.jpg', CRC, 1)
    const dataset = await openDataset({ kind: 'zip', file: new Blob([zip]), name: 'cats.zip' })
    await expect(dataset.image('images/1.jpg')).rejects.toThrow(/set\/images\/1\.jpg in cats\.zip is damaged/)
  })
})

describe('zip bombs', () => {
  const big = new Uint8Array(65 << 20)

  test('are refused by what they say, and listed', async () => {
    const zip = await zipOf({ 'x.jsonl': '{"image":"big.png","caption":"x"}', 'big.png': big })
    expect(zip.length).toBeLessThan(200_000)
    const dataset = await openDataset({ kind: 'zip', file: new Blob([zip]) })
    await expect(dataset.image('big.png')).rejects.toThrow(/big\.png takes 68 MB, a picture may take 67 MB/)
    expect((await dataset.scan()).skipped[0]!.reason).toMatch(/^its picture big\.png takes 68 MB/)
  })

  test('are refused by what they hold', async () => {
    const zip = await zipOf({ 'x.jsonl': '{"image":"big.png","caption":"x"}', 'big.png': big })
    patch(zip, 'big.png', UNCOMPRESSED_BYTES, 1000)
    const dataset = await openDataset({ kind: 'zip', file: new Blob([zip]) })
    await expect(dataset.image('big.png')).rejects.toThrow(
      /big\.png in data\.zip holds more than the 1000 bytes/,
    )
    patch(zip, 'big.png', UNCOMPRESSED_BYTES, 66 << 20)
    await expect(dataset.image('big.png')).rejects.toMatchObject({ name: 'DatasetError' })
  })
})

describe('refuses', () => {
  const read = async (zip: Uint8Array<ArrayBuffer>, path: string) =>
    (await openZip(accessOf(zip), 'x.zip')).bytes(path)

  test('what is no zip', async () => {
    await expect(openZip(accessOf(utf8('no zip at all, but long enough')), 'x.zip')).rejects.toMatchObject({
      name: 'DatasetError',
      message: expect.stringMatching(/x\.zip cannot be read as a zip/),
    })
  })

  test('encrypted files', async () => {
    const zip = await zipOf({ 'a.jpg': 'A' }, { password: 'secret' })
    await expect(read(zip, 'a.jpg')).rejects.toThrow(/a\.jpg in x\.zip is encrypted/)
  })

  test('entries that do not unpack', async () => {
    const zip = await zipOf({ 'a.jpg': 'A'.repeat(1000) })
    const start = 30 + 'a.jpg'.length + new DataView(zip.buffer).getUint16(28, true)
    zip.fill(255, start, start + 8)
    await expect(read(zip, 'a.jpg')).rejects.toMatchObject({ name: 'DatasetError' })
    const short = patch(await zipOf({ 'a.jpg': 'A'.repeat(1000) }), 'a.jpg', UNCOMPRESSED_BYTES, 1001)
    await expect(read(short, 'a.jpg')).rejects.toThrow(/holds 1000 of 1001 bytes/)
    const far = patch(await zipOf({ 'a.jpg': 'A' }), 'a.jpg', COMPRESSED_BYTES, 1 << 20)
    await expect(read(far, 'a.jpg')).rejects.toMatchObject({ name: 'DatasetError' })
    await expect(read(await zipOf({ 'a.jpg': 'A' }), 'b.jpg')).rejects.toThrow('b.jpg is not in x.zip')
  })
})

test('the checksum is CRC-32', () => {
  expect(crc32(utf8('123456789'))).toBe(0xcbf43926)
  expect(crc32(utf8('56789'), crc32(utf8('1234')))).toBe(0xcbf43926)
})
