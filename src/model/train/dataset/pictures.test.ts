import { describe, expect, test } from 'vitest'
import { DroppedFolder } from './folder'
import { FolderPictures, pathInside } from './pictures'
import { filesOf } from './testing/bytes'

function pictures(paths: readonly string[], annotationFolder = '') {
  const files = filesOf(Object.fromEntries(paths.map((path) => [path, path])))
  return new FolderPictures(new DroppedFolder(files), annotationFolder)
}

const find = async (paths: readonly string[], wanted: string, annotationFolder?: string) =>
  new TextDecoder().decode(await pictures(paths, annotationFolder).read(wanted))

test.each([
  ['as written', ['a/1.jpg', 'b/1.jpg'], 'b/1.jpg', '', 'b/1.jpg'],
  ['with ./ and backslashes', ['a/1.jpg', 'b/1.jpg'], '.\\b\\1.jpg', '', 'b/1.jpg'],
  ['as written before beside the rows', ['1.jpg', 'set/1.jpg'], '1.jpg', 'set', '1.jpg'],
  ['beside the rows', ['set/1.jpg', 'other/1.jpg'], '1.jpg', 'set', 'set/1.jpg'],
  ['beside the rows, upwards', ['images/1.jpg', 'x/1.jpg'], '../images/1.jpg', 'rows', 'images/1.jpg'],
  ['with leading folders too many', ['train/1.jpg', 'val/1.jpg'], 'coco/train/1.jpg', '', 'train/1.jpg'],
  ['with the common folder left out', ['set/i/1.jpg', 'set/i/sub/1.jpg'], '1.jpg', '', 'set/i/1.jpg'],
  ['with the common folder replaced', ['set/1.jpg', 'set/sub/1.jpg'], 'other/1.jpg', '', 'set/1.jpg'],
  ['by most folders', ['1.jpg', 'x/b/1.jpg'], 'a/b/1.jpg', '', 'x/b/1.jpg'],
  ['by its name', ['x/y/1.jpg', 'x/2.jpg'], 'a/1.jpg', '', 'x/y/1.jpg'],
  ['by its name in another case', ['x/y/1.JPG'], 'a/1.jpg', '', 'x/y/1.JPG'],
  ['in its own case first', ['x/1.JPG', 'y/1.jpg'], 'a/1.jpg', '', 'y/1.jpg'],
  ['by folders in another case', ['X/1.JPG', 'y/1.JPG'], 'x/1.jpg', '', 'X/1.JPG'],
  ['with accents composed otherwise', ['x/e\u0301.jpg'], 'x/\u00e9.jpg', '', 'x/e\u0301.jpg'],
])('finds a picture %s', async (_, paths, wanted, folder, expected) => {
  expect(await find(paths, wanted, folder)).toBe(expected)
})

describe('refuses', () => {
  test.each(['../1.jpg', 'a/../../1.jpg', '/1.jpg', '\\1.jpg', 'C:/1.jpg', '..\\1.jpg', 'a\0/../1.jpg'])(
    'to leave the folder by %s',
    async (path) => {
      const error = { name: 'DatasetError', message: expect.stringContaining('leads out of the folder') }
      await expect(pictures(['1.jpg'], 'sub').read(path.replace('..', '../..'))).rejects.toMatchObject(error)
      await expect(pictures(['1.jpg']).read(path)).rejects.toMatchObject(error)
    },
  )

  test('what several could be', async () => {
    const two = pictures(['x/1.jpg', 'y/1.jpg'])
    expect(await two.problemOf('1.jpg')).toBe(
      '1.jpg is not there, and 2 others have its name (x/1.jpg, y/1.jpg)',
    )
    await expect(two.read('1.jpg')).rejects.toThrow(/2 others have its name/)
  })

  test('what is not there', async () => {
    await expect(find(['1.jpg'], '2.jpg')).rejects.toThrow('the picture 2.jpg is not there')
  })
})

test.each([
  ['a/./b//c', 'a/b/c'],
  ['a/../b', 'b'],
  ['a\\b', 'a/b'],
  ['..', undefined],
  ['.', undefined],
  ['', undefined],
])('path %j inside is %j', (path, expected) => {
  expect(pathInside(path)).toBe(expected)
})
