import { MockServer, answerEvents, json, stream } from '../src/remote/testing/mock-server'
import { call, open, test as elementTest } from './support/element'
import { strictCsp, told } from './support/embed'
import { expect, test } from './support/fixtures'
import { look } from './support/look'
import { playEngine } from './support/play'
import { sample } from './support/samples'

// A model on a server in place of this device: what is asked goes there, and nowhere else.

const KEY = 'sk-of-this-test'

let server: MockServer
test.beforeEach(async () => {
  server = await MockServer.start()
})
test.afterEach(() => server.stop())

/** Everything this origin keeps in the browser, as text. */
const kept = async () => {
  const databases = await indexedDB.databases()
  const values: unknown[] = [JSON.stringify({ ...localStorage, ...sessionStorage }), document.cookie]
  for (const { name } of databases) {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const opening = indexedDB.open(name!)
      opening.onsuccess = () => resolve(opening.result)
      opening.onerror = () => reject(opening.error)
    })
    for (const store of database.objectStoreNames) {
      values.push(
        await new Promise((resolve) => {
          const all = database.transaction(store).objectStore(store).getAll()
          all.onsuccess = () => resolve(all.result)
        }),
      )
    }
    database.close()
  }
  return JSON.stringify(values)
}

test('without WebGPU a server answers: it is named, asked about a picture, stopped, and fails in plain words', async ({
  visit,
}) => {
  const { page } = visit
  await playEngine(page, 'no-webgpu')
  await page.goto('./')
  await expect(visit.engine('unfit')).toBeVisible()
  await page.getByRole('button', { name: 'Use a model on a server' }).click()
  await expect(visit.part('server-address')).toBeFocused()

  // Only who has the key is told of the models.
  const { models, chat } = server
  server.models = (response, request) =>
    request.headers.authorization === `Bearer ${KEY}` ? models(response, request) : json(response, 401, {})
  await page.keyboard.type(`http://${server.host}`)
  await page.keyboard.press('Enter')
  await expect(page.getByText('The server wants an API key')).toBeVisible()
  await visit.part('server-key').fill(KEY)
  await visit.part('server-key').press('Tab')
  await expect(visit.part('server-model')).toHaveValue('tiny')
  await expect(page.getByText(`are sent to ${server.host}`)).toBeVisible()
  await visit.part('load-button').click()
  await visit.untilReady()
  await expect(visit.part('banner')).toHaveCount(0)
  await expect(visit.part('server-hint')).toContainText(`Answers come from ${server.host}.`)

  await visit.send('What is shown?', sample('08').path)
  await visit.untilAnswered('stop', 1)
  await expect(visit.text()).toHaveText('Two shapes.')
  await expect(visit.answers.last().getByTestId('stats')).toContainText('3 tokens')
  expect(server.asked[0].messages[0].content).toEqual([
    { type: 'image_url', image_url: { url: expect.stringMatching(/^data:image\/png;base64,/) as unknown } },
    { type: 'text', text: 'What is shown?' },
  ])
  await visit.part('look').click()
  await expect(visit.part('look-why')).toContainText(`${server.host} answers, and does not tell`)

  server.chat = (response) => stream(response, ...answerEvents('It ', 'goes on').slice(0, 2))
  await visit.send('And now?')
  await expect(visit.text()).toHaveText('It goes on')
  await visit.part('stop').click()
  await visit.untilAnswered('aborted', 2)
  await expect.poll(() => server.closed).toBe(1)

  server.chat = (response) => {
    stream(response, ...answerEvents('It breaks').slice(0, 1))
    setTimeout(() => response.destroy(), 100)
  }
  await visit.send('Once more?')
  await visit.untilAnswered('failed', 3)
  await expect(visit.text()).toHaveText('It breaks')
  await expect(visit.answers.last()).toContainText('The answer broke off.')
  await look(visit, 'server-chat')
  server.chat = chat
  await visit.answers.last().getByRole('button', { name: 'Ask again' }).click()
  await visit.untilAnswered('stop', 3)

  // The address is remembered, the key nowhere: neither in storage nor in any address.
  const storage = await page.evaluate(kept)
  expect(storage).toContain(server.host)
  expect(storage).not.toContain(KEY)
  expect(JSON.stringify(server.received.map(({ url, body }) => [url, body]))).not.toContain(KEY)
  const foreign = visit.offences.foreign.splice(0)
  expect(foreign.filter((url) => !url.startsWith(`${server.baseUrl}/`))).toEqual([])
  expect(foreign.join()).not.toContain(KEY)
  visit.offences.forgive(/401 \(Unauthorized\)|ERR_INCOMPLETE_CHUNKED_ENCODING/)
})

test('a server that lets no page read is told apart from one that is not there', async ({ visit }) => {
  const { page } = visit
  await playEngine(page)
  await visit.open()
  await visit.part('screen-models').click()
  server.allowedOrigin = ''
  await visit.part('server-address').fill(server.baseUrl)
  await visit.part('look-up-server').click()
  await expect(page.getByText('does not let this page read')).toBeVisible()
  await server.stop()
  await page.getByRole('button', { name: 'Try again' }).click()
  await expect(page.getByText('The server does not answer.')).toBeVisible()
  server = await MockServer.start()
  visit.offences.foreign.splice(0)
  visit.offences.forgive(/blocked by CORS policy|ERR_FAILED|ERR_CONNECTION_REFUSED/)
})

elementTest('an element takes a server by its attributes, and starts no engine', async ({ page, origin }) => {
  const chat = await open(page, origin, {
    csp: strictCsp(origin, new URL(server.baseUrl).origin),
    body: `<trilobite-chat endpoint="${server.baseUrl}" model="tiny"></trilobite-chat>`,
  })
  await expect(chat.getByTestId('consent')).toContainText(`Answers come from ${server.host}.`)
  await chat.evaluate((element: HTMLElementTagNameMap['trilobite-chat'], key) => (element.apiKey = key), KEY)
  const { value } = await call(chat, (element) => element.ask('What is it?'))
  expect(value).toMatchObject({ text: 'Two shapes.', finish: 'stop' })
  await expect(chat.getByTestId('server-hint')).toBeVisible()
  expect(server.received.map(({ headers }) => headers.authorization)).toEqual([
    `Bearer ${KEY}`,
    `Bearer ${KEY}`,
  ])
  expect(await chat.evaluate((element) => element.outerHTML)).not.toContain(KEY)
  expect((await told(page, 'ready'))[0]).toMatchObject({ server: server.host })
  expect(page.workers()).toEqual([])
  expect(await page.evaluate(() => window.violations)).toEqual([])
})
