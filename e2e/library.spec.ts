import { expect, test } from '@playwright/test'
import { readFileSync } from 'node:fs'
import type { Trilobite } from '../src/library'
import { servePackage, servePage } from './support/embed'
import { llavaSample } from './support/samples'
import { closeServers } from './support/servers'

// The library as another project's page has it: a bare page, and the module and the model on another origin.

const { turns, path: picture } = llavaSample('01')

let page: string
let elsewhere: string
test.beforeAll(async () => {
  elsewhere = await servePackage()
  page = (await servePage({ body: '' })).replace(/\/$/, '')
})
test.afterAll(closeServers)

test('a bare page of another origin loads a model and asks it, with no request but these', async ({
  page: tab,
}) => {
  const requests: string[] = []
  tab.on('request', (request) => requests.push(request.url()))
  await tab.goto(page)
  const answered = await tab.evaluate(
    async ([origin, question, image]) => {
      const library = (await import(`${origin}/library/trilobite.js`)) as { Trilobite: typeof Trilobite }
      const trilobite = await library.Trilobite.open()
      const phases = new Set<string>()
      const model = await trilobite.load(`${origin}/models/trilobite-nano-llava`, {
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
      ![`${page}/`, `${page}/favicon.ico`, `${elsewhere}/library/trilobite.js`].includes(url) &&
      !url.startsWith(`${elsewhere}/library/chunks/`) &&
      !url.startsWith(`${elsewhere}/models/trilobite-nano-llava/`) &&
      !url.startsWith(`${elsewhere}/nothing/`),
  )
  expect(others).toEqual([])
})
