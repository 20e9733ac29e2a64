import { describe, expect, test } from 'vitest'
import { absolute, SAMPLE_SET, sourceName, sourceOfFiles } from './dataset-source'
import { DataPictures, PathIndex } from './pictures'
import { fileName, unzipped, zipOf } from './zip'

const picked = (...paths: string[]) => paths.map((path) => ({ path, file: new File([path], path) }))

describe('sourceOfFiles', () => {
  test('takes a folder without what systems leave in it', () => {
    const source = sourceOfFiles(
      picked('set/a.json', 'set/images/1.png', 'set/.DS_Store', '__MACOSX/x', 'set/Thumbs.db'),
    )
    expect(source).toMatchObject({
      kind: 'files',
      files: [{ path: 'set/a.json' }, { path: 'set/images/1.png' }],
    })
    expect(sourceName(source)).toBe('set')
  })

  test('takes a zip alone', () => {
    const source = sourceOfFiles(picked('My Set.ZIP'))
    expect(source).toMatchObject({ kind: 'zip', file: { name: 'My Set.ZIP' } })
    expect(sourceName(source)).toBe('My Set.ZIP')
  })

  test('says what is wrong', () => {
    expect(() => sourceOfFiles([])).toThrow('There are no files in it')
    expect(() => sourceOfFiles(picked('.DS_Store'))).toThrow('There are no files in it')
    expect(() => sourceOfFiles(picked('a.zip', 'b.json'))).toThrow('by itself')
  })

  test('names files that lie in no folder', () => {
    expect(sourceName(sourceOfFiles(picked('a.json')))).toBe('a.json')
    expect(sourceName(sourceOfFiles(picked('a.json', 'b.png')))).toBe('2 files')
  })
})

test('the sample set has an address that a worker understands', () => {
  expect(absolute(SAMPLE_SET, 'https://x.example/app/')).toMatchObject({
    url: 'https://x.example/app/samples/stage-1.zip',
  })
  const files = sourceOfFiles(picked('a.json'))
  expect(absolute(files, 'https://x.example/')).toEqual(files)
})

describe('pictures of data', () => {
  test('are found by the folders that agree, the shortest path first', () => {
    const paths = ['set/train/images/1.png', 'set/images/1.png', 'set/images/11.png', 'set/e\u0301/Ä.JPG']
    const index = new PathIndex(paths.map((path) => [path, path]))
    expect(index.find('images/1.png')).toBe('set/images/1.png')
    expect(index.find('./images/11.png')).toBe('set/images/11.png')
    expect(index.find('train/images/1.png')).toBe('set/train/images/1.png')
    expect(index.find('/data/coco/images/1.png')).toBe('set/images/1.png')
    expect(index.find('set\\images\\1.png')).toBe('set/images/1.png')
    expect(index.find('\u00e9/ä.jpg')).toBe('set/e\u0301/Ä.JPG')
    expect(index.find('1.jpg')).toBeUndefined()
    expect(index.find('.png')).toBeUndefined()
  })

  test('are found in a folder of 10,000 without passing all of them for each', async () => {
    const file = new File(['x'], 'x')
    let read = 0
    const files = Array.from({ length: 10_000 }, (_, i) => ({
      get path() {
        read++
        return `set/images/${i}.png`
      },
      file,
    }))
    const pictures = new DataPictures({ kind: 'files', files }, 'https://x.example/')
    for (let i = 0; i < 64; i++) expect(await pictures.get(`images/${i * 150}.png`)).toBe(file)
    expect(read).toBe(10_000)
  })

  test('come from files and from typed captions', async () => {
    const files = new DataPictures(sourceOfFiles(picked('set/images/1.png')), 'https://x.example/')
    expect(await (await files.get('images/1.png'))?.text()).toBe('set/images/1.png')
    expect(await files.get('2.png')).toBeUndefined()
    const image = new Blob(['bird'])
    const pairs = new DataPictures(
      { kind: 'pairs', name: 'mine', pairs: [{ name: 'bird.jpg', image, caption: 'a bird' }] },
      'https://x.example/',
    )
    expect(await pairs.get('bird.jpg')).toBe(image)
  })

  test('come from a zip, and a damaged zip has none', async () => {
    const bytes = new TextEncoder().encode('picture')
    const zip = new File([await zipOf([{ path: 'set/images/1.png', bytes }])], 'a.zip')
    const pictures = new DataPictures({ kind: 'zip', file: zip }, 'https://x.example/')
    expect(await (await pictures.get('images/1.png'))?.text()).toBe('picture')
    expect(await pictures.get('images/2.png')).toBeUndefined()
    await pictures.close()
    const damaged = new DataPictures(
      { kind: 'zip', file: new File(['no zip'], 'b.zip') },
      'https://x.example/',
    )
    expect(await damaged.get('images/1.png')).toBeUndefined()
  })
})

describe('an export', () => {
  test('comes back from its zip as it went in, with other files beside it', async () => {
    const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i % 251)
    const zip = await zipOf([
      { path: 'run/connector.safetensors', bytes },
      { path: 'run/config.json', bytes: new TextEncoder().encode('{}') },
    ])
    const files = await unzipped([
      { path: 'run.zip', file: new File([zip], 'run.zip') },
      ...picked('mm_projector.bin'),
    ])
    expect(files.map(({ path }) => path)).toEqual([
      'run/connector.safetensors',
      'run/config.json',
      'mm_projector.bin',
    ])
    expect(new Uint8Array(await files[0]!.file.arrayBuffer())).toEqual(bytes)
    expect(files[0]!.file.name).toBe('connector.safetensors')
  })

  test('has a name that any file system takes', () => {
    expect(fileName('Sample set, llava-1.5')).toBe('Sample-set-llava-1.5')
    expect(fileName('../Über: 実験/..')).toBe('U-ber')
    expect(fileName('***')).toBe('connector')
    expect(fileName('x'.repeat(200))).toHaveLength(80)
  })
})
