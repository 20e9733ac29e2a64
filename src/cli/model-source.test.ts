import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DiskSource } from './disk-source'
import { BUNDLED_MODELS, bundledFolder, resolveModel, resolveRepository } from './model-source'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trilobite-models-'))
  await mkdir(join(root, 'repos', 'owner', 'name'), { recursive: true })
})
afterAll(() => rm(root, { recursive: true }))

const resolve = (model: string, env = {}) =>
  resolveModel(model, { repos: join(root, 'repos'), bundled: bundledFolder(), env })

describe('--model', () => {
  test.each([
    ['bundled', 'trilobite-nano-cambrian'],
    ['bundled/trilobite-nano-cambrian', 'trilobite-nano-cambrian'],
    ['bundled/trilobite-nano-llava', 'trilobite-nano-llava'],
  ])('%s is a model that ships', async (model, name) => {
    const found = await resolve(model)
    expect(found).toEqual({ disk: new DiskSource(join(bundledFolder(), name)) })
    expect('disk' in found && (await found.disk.sizeOf('config.json'))).toBeGreaterThan(0)
  })

  test('every bundled model is known by name', async () => {
    expect((await readdir(bundledFolder())).sort()).toEqual([...BUNDLED_MODELS].sort())
    await expect(resolve('bundled/nano')).rejects.toThrow(/trilobite-nano-llava/)
  })

  test('a folder is read from disk', async () => {
    expect(await resolve(join(root, 'repos'))).toEqual({ disk: new DiskSource(join(root, 'repos')) })
  })

  test('a folder around that of the checkpoint is told from it', async () => {
    const folder = join(root, 'recorded')
    const checkpoint = join(folder, 'checkpoint')
    await mkdir(checkpoint, { recursive: true })
    await writeFile(join(checkpoint, 'config.json'), '{}')
    await expect(resolve(folder)).rejects.toThrow(
      `--model: ${folder} holds no config.json, but ${checkpoint} does; give that folder`,
    )
    expect(await resolve(checkpoint)).toEqual({ disk: new DiskSource(checkpoint) })
    await writeFile(join(folder, 'config.json'), '{}')
    expect(await resolve(folder)).toEqual({ disk: new DiskSource(folder) })
  })

  test('OWNER/NAME is looked for in --repos first, whatever the revision', async () => {
    const local = { disk: new DiskSource(join(root, 'repos', 'owner', 'name')) }
    expect(await resolve('owner/name')).toEqual(local)
    expect(await resolve('owner/name@abc')).toEqual(local)
  })

  test('OWNER/NAME[@REVISION] is a hub repository otherwise', async () => {
    expect(await resolve('owner/other-1.5_x')).toEqual({ remote: { kind: 'hub', repo: 'owner/other-1.5_x' } })
    expect(await resolve('owner/other@refs/pr/1')).toEqual({
      remote: { kind: 'hub', repo: 'owner/other', revision: 'refs/pr/1' },
    })
  })

  test('HF_TOKEN and HF_ENDPOINT reach the hub and no other host', async () => {
    const env = { HF_TOKEN: 'secret', HF_ENDPOINT: 'https://hub.example' }
    expect(await resolve('owner/other', env)).toEqual({
      remote: { kind: 'hub', repo: 'owner/other', endpoint: 'https://hub.example', token: 'secret' },
    })
    expect(await resolve('https://files.example/models/x', env)).toEqual({
      remote: { kind: 'url', baseUrl: 'https://files.example/models/x' },
    })
  })

  test("the hub's own web page of a repository means the repository", async () => {
    expect(await resolve('https://huggingface.co/owner/other/')).toEqual({
      remote: { kind: 'hub', repo: 'owner/other' },
    })
    expect(await resolve('https://huggingface.co/owner/other/tree/v1')).toEqual({
      remote: { kind: 'hub', repo: 'owner/other', revision: 'v1' },
    })
  })

  test.each(['nowhere', './absent', '../owner/name', 'a/b/c', ''])('refuses "%s"', async (model) => {
    await expect(resolve(model)).rejects.toMatchObject({ name: 'UsageError' })
  })

  test('refuses --repos that is no folder', async () => {
    const options = { repos: join(root, 'absent'), bundled: root }
    await expect(resolveModel('owner/name', options)).rejects.toThrow('--repos: expected a folder')
  })
})

describe('a repository that a checkpoint refers to', () => {
  test('is looked for in --repos, then on the hub', async () => {
    const options = { repos: join(root, 'repos'), bundled: bundledFolder(), env: {} }
    const local = { disk: new DiskSource(join(root, 'repos', 'owner', 'name')) }
    expect(await resolveRepository('owner/name', options)).toEqual(local)
    const remote = { remote: { kind: 'hub', repo: 'openai/clip-vit-large-patch14' } }
    expect(await resolveRepository('openai/clip-vit-large-patch14', options)).toEqual(remote)
  })
})
