import { expect, test, type Page } from '@playwright/test'
import { join } from 'node:path'
import type { PreviewServer } from 'vite'
import { compare, seeded } from '../src/kernels/testing/numbers'
import type { JsonObject } from '../src/model/config-reader'
import { COARSE, FINE, fineConfig, SIDE, smallEncoder } from '../src/model/onnx/testing/small-encoder'
import type { TowerReply, TowerRequest } from './support/onnx-page/tower.worker'

// An encoder in the page's engine, on a page of its own: what it computes, where, and what it fetches for that.

const small = smallEncoder()
const { pixels } = seeded({ pixels: [2, 3, SIDE, SIDE] }, 3)
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const files = Object.fromEntries([...small.contents].map(([path, bytes]) => [path, base64(bytes)]))

const pyramid: JsonObject = {
  model_type: 'onnx',
  file: 'small.onnx',
  external_data: ['small.onnx.data'],
  image_size: SIDE,
  outputs: [
    { name: 'fine', layout: 'nchw', size: FINE.side, width: FINE.width },
    { name: 'coarse', layout: 'nchw', size: COARSE.side, width: COARSE.width },
  ],
}

let server: PreviewServer
let address: string

test.beforeAll(async () => {
  const { build, preview } = await import('vite')
  const root = join(import.meta.dirname, 'support', 'onnx-page')
  const outDir = join(import.meta.dirname, '..', 'test-results', 'onnx-page')
  const config = { root, base: './', configFile: false, publicDir: false, logLevel: 'warn' } as const
  await build({
    ...config,
    build: { outDir, emptyOutDir: true, target: 'es2023' },
    worker: { format: 'es' },
  })
  server = await preview({ ...config, build: { outDir }, preview: { host: '127.0.0.1', port: 0 } })
  address = server.resolvedUrls!.local[0]!
})
test.afterAll(() => server.close())

/** Opens the page, and keeps the address of everything it asks for. */
async function visit(page: Page): Promise<{ requests: string[]; engines: () => string[] }> {
  const requests: string[] = []
  page.on('request', (request) => requests.push(request.url()))
  await page.goto(address)
  return { requests, engines: () => requests.filter((url) => url.endsWith('.wasm')) }
}

function encode(
  page: Page,
  config: JsonObject,
  change: Partial<TowerRequest['files']> = {},
  loseDevice = false,
): Promise<TowerReply> {
  const request = {
    files: { ...files, ...change },
    config,
    pixels: { shape: pixels.shape, values: [...pixels] },
    loseDevice,
  }
  return page.evaluate(
    (request) => (globalThis as unknown as { encode(request: string): Promise<TowerReply> }).encode(request),
    JSON.stringify(request),
  )
}

function expectRows(reply: TowerReply, which: ('fine' | 'coarse')[]) {
  if ('error' in reply) throw new Error(reply.error)
  const picture = 3 * SIDE * SIDE
  const want = [0, 1].map((i) => small.rows(pixels.subarray(i * picture, (i + 1) * picture)))
  expect(reply.maps).toHaveLength(which.length)
  for (const [i, name] of which.entries()) {
    const rows = want.flatMap((picture) => [...picture[name]])
    const { close, worstError, allowed } = compare(reply.maps[i]!.values, rows)
    expect(close, `${name}: off by ${worstError}, allowed ${allowed}`).toBe(true)
  }
  return reply
}

test('computes on our GPU device, and nothing goes through the host', async ({ page }) => {
  const { requests, engines } = await visit(page)
  await expect.poll(() => requests.some((url) => /tower\.worker-.*\.js$/.test(url))).toBe(true)
  expect(engines()).toEqual([])
  const reply = expectRows(await encode(page, { ...pyramid, engine: 'webgpu' }), ['fine', 'coarse'])
  expect(reply).toMatchObject({ readBacks: 0, devices: 1, notes: [] })
  // Beside the two of ours that turn each picture's planes into rows.
  expect(reply.dispatches).toBeGreaterThan(4)
  expectRows(await encode(page, { ...fineConfig, engine: 'webgpu' }), ['fine'])
  expect(engines()).toHaveLength(1)
  expect(requests.filter((url) => !url.startsWith(address))).toEqual([])
})

test('computes in WebAssembly on a software adapter, and says so', async ({ page }) => {
  await visit(page)
  const reply = expectRows(await encode(page, pyramid), ['fine', 'coarse'])
  // Pixels are read back once a picture, and only our own kernels run.
  expect(reply).toMatchObject({ readBacks: 2, dispatches: 4, devices: 1 })
  expect(reply.notes).toEqual([expect.stringContaining('runs on the CPU engine')])
})

test('an engine that cannot be fetched is told of, and the next attempt fetches it', async ({ page }) => {
  const { engines } = await visit(page)
  await page.context().route('**/*.wasm', (route) => route.fulfill({ status: 503 }))
  await expect(encode(page, { ...fineConfig, engine: 'cpu' })).resolves.toEqual({
    error: expect.stringMatching(
      /^NetworkError: onnx: the engine .* could not be fetched \(status 503\)\. Try again/,
    ),
  })
  await page.context().unrouteAll()
  expectRows(await encode(page, { ...fineConfig, engine: 'cpu' }), ['fine'])
  expect(engines()).toHaveLength(2)
})

for (const engine of ['webgpu', 'cpu']) {
  test(`a device lost under the ${engine} engine is told of, and an encoder opens on the next`, async ({
    page,
  }) => {
    await visit(page)
    const config = { ...fineConfig, engine }
    expectRows(await encode(page, config), ['fine'])
    expect(await encode(page, config, {}, true)).toEqual({
      error: expect.stringMatching(/^DeviceLostError: /),
    })
    expectRows(await encode(page, config), ['fine'])
  })

  test(`an encoder that is none is refused by the ${engine} engine, and the next one opens`, async ({
    page,
  }) => {
    await visit(page)
    const config = { ...fineConfig, engine }
    const refused = async (change: Partial<TowerRequest['files']>, wanted: RegExp) =>
      expect(await encode(page, config, change)).toEqual({ error: expect.stringMatching(wanted) })
    await refused(
      { 'small.onnx': base64(Buffer.from('<!doctype html>'.padEnd(99))) },
      /should be an ONNX model/,
    )
    const half = small.file.bytes.subarray(0, small.file.bytes.length / 2)
    await refused(
      { 'small.onnx': base64(half) },
      /^CheckpointError: .* failed opening it .* Download it again/,
    )
    const strange = smallEncoder({ operator: 'Fold' }).file.bytes
    await refused({ 'small.onnx': base64(strange) }, /Fold.* export it anew with standard operators/)
    expect(await encode(page, { ...config, output: 'finest' })).toEqual({
      error: expect.stringMatching(/^ConfigError: .* has no output "finest"/),
    })
    expectRows(await encode(page, config), ['fine'])
  })
}
