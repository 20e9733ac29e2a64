import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { utf8, zipOf } from '../model/train/dataset/testing/bytes'
import { openDiskDataset } from './disk-dataset'

const row = (image: string, caption = 'A cat.') => ({ image, caption })
const spooled = async () => (await readdir(tmpdir())).length

let root: string
const { TMPDIR } = process.env

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trilobite-disk-dataset-'))
  process.env.TMPDIR = join(root, '.temporary')
  await mkdir(tmpdir())
  const files = {
    'set/train.jsonl': ['images/a.jpg', 'b.JPG', '../secret.jpg', '/etc/hostname', 'linked/c.jpg', 'gone.jpg']
      .map((image) => JSON.stringify(row(image)))
      .join('\n'),
    'set/heldout.csv': 'image,caption\nimages/a.jpg,Held out\n',
    'set/images/a.jpg': 'A',
    'set/images/deep/b.jpg': 'B',
    'secret.jpg': 'S',
    'elsewhere/c.jpg': 'C',
    'pictures/x.png': 'X',
    'pictures/x.txt': 'An X.\n',
    'rows.json': JSON.stringify([row('pictures/x.png'), row('x.png'), row('old/x.png')]),
    'notes.md': '#',
  }
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  await symlink(join(root, 'elsewhere'), join(root, 'set/linked'))
  await symlink(join(root, 'set'), join(root, 'set/images/deep/loop'))
  const zip = { 'train.json': JSON.stringify([row('images/a.jpg'), row('x.png')]), 'images/a.jpg': 'zipped' }
  await writeFile(join(root, 'data.zip'), await zipOf(zip))
  await writeFile(join(root, 'broken.zip'), 'PK')
  await writeFile(join(root, 'cut.zip'), await zipOf({ 'train.json': '[{' }))
})
afterAll(async () => {
  if (TMPDIR === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = TMPDIR
  await rm(root, { recursive: true })
})

describe('data on disk', () => {
  test('is read beside its pictures, which never lie outside', async () => {
    const dataset = await openDiskDataset(join(root, 'set/train.jsonl'), undefined)
    expect(dataset.name).toBe('set')
    const { usable, skipped } = await dataset.scan()
    expect([...usable]).toEqual([0, 1, 4])
    expect(skipped.map(({ reason }) => reason)).toEqual([
      'its picture ../secret.jpg leads out of the folder; paths have to be relative to it',
      'its picture /etc/hostname leads out of the folder; paths have to be relative to it',
      'its picture gone.jpg is not there',
    ])
    expect(await dataset.image('b.JPG')).toEqual(utf8('B'))
    expect(await dataset.image('linked/c.jpg')).toEqual(utf8('C'))
    await expect(dataset.image('../secret.jpg')).rejects.toMatchObject({ name: 'DatasetError' })
    expect((await dataset.heldOut!.sample(0)).conversations[1]!.value).toBe('Held out')
    await dataset.close?.()
    await expect(dataset.sample(0)).rejects.toMatchObject({ name: 'DatasetError' })
  })

  test('is read with pictures in a folder of their own', async () => {
    const dataset = await openDiskDataset(join(root, 'rows.json'), join(root, 'pictures'))
    expect((await dataset.scan()).usable.length).toBe(3)
    await dataset.close?.()
    const beside = await openDiskDataset(join(root, 'set/train.jsonl'), root)
    expect(await beside.image('images/a.jpg')).toEqual(utf8('A'))
    await beside.close?.()
  })

  test('is a folder with rows, or with texts beside pictures', async () => {
    const rows = await openDiskDataset(join(root, 'set'), undefined)
    expect(rows.length).toBe(6)
    expect(rows.heldOut?.length).toBe(1)
    await rows.close?.()
    const texts = await openDiskDataset(join(root, 'pictures'), undefined)
    expect(await texts.sample(0)).toMatchObject({
      id: 'x.png',
      image: 'x.png',
      conversations: [{}, { value: 'An X.' }],
    })
    await texts.close?.()
  })

  test('is a zip, unpacked no further than it has to be', async () => {
    const before = await spooled()
    const dataset = await openDiskDataset(join(root, 'data.zip'), undefined)
    expect(dataset.name).toBe('data')
    expect(await spooled()).toBe(before + 1)
    expect([...(await dataset.scan()).usable]).toEqual([0])
    expect(await dataset.image('images/a.jpg')).toEqual(utf8('zipped'))
    await dataset.close?.()
    expect(await spooled()).toBe(before)
    const outside = await openDiskDataset(join(root, 'data.zip'), join(root, 'pictures'))
    expect([...(await outside.scan()).usable]).toEqual([1])
    await outside.close?.()
    await expect(openDiskDataset(join(root, 'cut.zip'), undefined)).rejects.toThrow(
      /train\.json ends within row 0/,
    )
    expect(await spooled()).toBe(before)
  })

  test.each([
    ['gone.json', undefined, /there is no .*gone\.json; give a file of rows/],
    ['notes.md', undefined, /none of \.json, \.jsonl/],
    ['rows.json', 'nowhere', /there is no folder .*nowhere/],
    ['broken.zip', undefined, /broken\.zip cannot be read as a zip/],
    ['elsewhere', undefined, /elsewhere holds no captions/],
  ])('is refused: %s with %s', async (file, images, message) => {
    const opened = openDiskDataset(join(root, file), images && join(root, images))
    await expect(opened).rejects.toMatchObject({
      name: 'DatasetError',
      message: expect.stringMatching(message),
    })
  })
})
