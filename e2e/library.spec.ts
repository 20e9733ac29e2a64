import { expect, test } from '@playwright/test'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import type { Trilobite } from '../src/library'
import { llavaSample } from './support/samples'

// The library as another project's page has it: a bare page, and the module and the model on another origin.

const root = join(import.meta.dirname, '..')
const MODULE = join(root, 'test-results', 'library')
const MODELS = join(root, 'public', 'models')
const TYPES: Record<string, string> = { '.js': 'text/javascript', '.json': 'application/json' }
const { turns, path: picture } = llavaSample('01')

const servers: Server[] = []
let page: string
let elsewhere: string

/** Answers with files of some folders, and says that pages of any origin may read them. */
async function serve(answer: (path: string) => { body: string | Buffer; type: string } | undefined) {
  const server = createServer((request, response) => {
    const found = answer(decodeURIComponent(new URL(request.url!, 'http://x').pathname))
    response.writeHead(found ? 200 : 404, {
      'access-control-allow-origin': '*',
      'content-type': found?.type ?? 'text/plain',
      'content-length': Buffer.byteLength(found?.body ?? ''),
    })
    response.end(request.method === 'HEAD' ? undefined : found?.body)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test.beforeAll(async () => {
  const { build } = await import('vite')
  await build({
    root,
    configFile: join(root, 'vite.library.config.ts'),
    build: { outDir: MODULE, emptyOutDir: true },
  })
  elsewhere = await serve((path) => {
    const folder = path === '/trilobite.js' ? MODULE : MODELS
    try {
      return {
        body: readFileSync(join(folder, path)),
        type: TYPES[extname(path)] ?? 'application/octet-stream',
      }
    } catch {
      return undefined
    }
  })
  page = await serve((path) =>
    path === '/' ? { body: '<!doctype html><title>A page</title>', type: 'text/html' } : undefined,
  )
})
test.afterAll(() => servers.forEach((server) => server.close()))

test('a bare page of another origin loads a model and asks it, with no request but these', async ({
  page: tab,
}) => {
  const requests: string[] = []
  tab.on('request', (request) => requests.push(request.url()))
  await tab.goto(page)
  const answered = await tab.evaluate(
    async ([origin, question, image]) => {
      const library = (await import(`${origin}/trilobite.js`)) as { Trilobite: typeof Trilobite }
      const trilobite = await library.Trilobite.open()
      const phases = new Set<string>()
      const model = await trilobite.load(`${origin}/trilobite-nano-llava`, {
        onProgress: ({ phase }) => phases.add(phase),
      })
      const bytes = Uint8Array.from(atob(image), (character) => character.charCodeAt(0))
      const answer = trilobite.ask({ text: question, images: [new Blob([bytes])] })
      let text = ''
      for await (const piece of answer.text()) text += piece
      const { tokenIds } = await answer.reply

      // Stopped by leaving the loop; the next question is answered.
      const stopped = trilobite.ask({ text: question, images: [new Blob([bytes])] })
      for await (const event of stopped) if (event.type === 'token') break
      const { finish } = await stopped.reply
      const again = await trilobite.ask({ text: question, images: [new Blob([bytes])] }).reply
      const wrong = await trilobite.load(`${origin}/nothing`).catch((error: Error) => error.name)
      trilobite.close()
      return {
        text,
        tokenIds,
        finish,
        again: again.tokenIds,
        wrong,
        phases: [...phases],
        model: model.architecture,
      }
    },
    [elsewhere, turns[0]!.question, readFileSync(picture).toString('base64')] as const,
  )
  expect(answered.tokenIds).toEqual(turns[0]!.generated_ids)
  expect(answered.text.trim()).toBe(turns[0]!.reply)
  expect(answered.finish).toBe('aborted')
  expect(answered.again).toEqual(turns[0]!.generated_ids)
  expect(answered.wrong).toBe('ConfigError')
  expect(answered.phases).toEqual(expect.arrayContaining(['config', 'weights', 'ready']))
  expect(answered.model).toContain('llava')
  const others = requests.filter(
    (url) =>
      !url.startsWith('blob:') &&
      !url.startsWith('data:') &&
      ![`${page}/`, `${page}/favicon.ico`, `${elsewhere}/trilobite.js`].includes(url) &&
      !url.startsWith(`${elsewhere}/trilobite-nano-llava/`) &&
      !url.startsWith(`${elsewhere}/nothing/`),
  )
  expect(others).toEqual([])
})
