import { describe, expect, test } from 'vitest'
import { checkpointOfFiles } from './folder'

const files = (...paths: string[]) => paths.map((path) => ({ path, file: new File([], path) }))

describe('checkpointOfFiles', () => {
  test('takes the folder of the shallowest config.json, without hidden files', () => {
    const choice = checkpointOfFiles(
      files(
        'tiny/sub/config.json',
        'tiny/config.json',
        'tiny/model.safetensors',
        'tiny/.git/HEAD',
        'tiny/sub/x.json',
        'other.txt',
      ),
    )
    expect(choice.name).toBe('tiny')
    expect(choice.files.map(({ path }) => path)).toEqual([
      'sub/config.json',
      'config.json',
      'model.safetensors',
      'sub/x.json',
    ])
  })

  test('single files picked without a folder', () => {
    expect(checkpointOfFiles(files('config.json', 'a.safetensors')).name).toBe('local folder')
  })

  test('says what is missing', () => {
    expect(() => checkpointOfFiles(files('a/model.safetensors'))).toThrow('no config.json')
    expect(() => checkpointOfFiles(files('a/config.json', 'a/readme.md'))).toThrow('no weights')
  })
})
