import { afterEach, describe, expect, test } from 'vitest'
import { ConfigError, NetworkError } from '../errors'
import { hubSource } from './hub-source'
import { sendFile, serve, type TestServer } from './testing/server'

const servers: TestServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function serving(...args: Parameters<typeof serve>): Promise<TestServer> {
  const server = await serve(...args)
  servers.push(server)
  return server
}

const TOKEN = 'hf_secret123'
const sleep = async () => undefined
const bytes = new TextEncoder().encode('{"model_type":"llava"}')

async function readAll(source: ReturnType<typeof hubSource>): Promise<string> {
  expect(await source.sizeOf('config.json')).toBe(bytes.byteLength)
  const chunks: Uint8Array[] = []
  for await (const chunk of await source.stream('config.json', { start: 1, end: 5 })) chunks.push(chunk)
  expect(Buffer.concat(chunks).toString()).toBe('"mod')
  return (await source.readText('config.json'))!
}

describe('requests', () => {
  test('go to resolve URLs of the revision', async () => {
    const server = await serving((request, response) => sendFile(request, response, bytes))
    const source = hubSource({ repo: 'owner/na.me@refs/pr/1', endpoint: `${server.origin}/mirror`, sleep })
    expect(source.name).toBe('owner/na.me@refs/pr/1')
    await source.readText('config.json')
    await hubSource({ repo: 'owner/name', endpoint: server.origin, sleep }).sizeOf('sub/a b.json')
    expect(server.requests.map(({ url }) => url)).toEqual([
      '/mirror/owner/na.me/resolve/refs%2Fpr%2F1/config.json',
      '/owner/name/resolve/main/sub/a%20b.json',
    ])
    expect(server.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true)
  })

  test('default to huggingface.co', async () => {
    const urls: string[] = []
    const source = hubSource({
      repo: 'owner/name',
      fetch: async (url) => {
        urls.push(String(url))
        return new Response(null, { status: 404 })
      },
    })
    await source.sizeOf('config.json')
    expect(urls).toEqual(['https://huggingface.co/owner/name/resolve/main/config.json'])
  })
})

describe('the token', () => {
  test('goes to the endpoint as a header and not to the file host it redirects to', async () => {
    const files = await serving((request, response) => sendFile(request, response, bytes))
    const hub = await serving((request, response) =>
      response.writeHead(302, { location: `${files.origin}/blob?signature=1` }).end(),
    )
    const text = await readAll(hubSource({ repo: 'owner/name', endpoint: hub.origin, token: TOKEN, sleep }))
    expect(text).toBe('{"model_type":"llava"}')
    expect(hub.requests).toHaveLength(3)
    for (const { url, headers } of hub.requests) {
      expect(headers.authorization).toBe(`Bearer ${TOKEN}`)
      expect(url).not.toContain(TOKEN)
    }
    // All three requests were followed, with their ranges and without the token.
    expect(files.requests.map(({ method }) => method)).toEqual(['HEAD', 'GET', 'GET'])
    expect(files.requests[1]!.headers.range).toBe('bytes=1-4')
    expect(JSON.stringify(files.requests)).not.toContain(TOKEN)
  })

  test('goes along where the endpoint redirects to itself', async () => {
    const hub = await serving((request, response) => {
      if (request.url!.startsWith('/owner'))
        response.writeHead(307, { location: '/renamed/config.json' }).end()
      else sendFile(request, response, bytes)
    })
    await readAll(hubSource({ repo: 'owner/name', endpoint: hub.origin, token: TOKEN, sleep }))
    expect(hub.requests.at(-1)).toMatchObject({
      url: '/renamed/config.json',
      headers: { authorization: `Bearer ${TOKEN}` },
    })
  })

  test('is in no error', async () => {
    const failures: Promise<unknown>[] = []
    for (const status of [401, 403, 418, 500]) {
      const hub = await serving((_, response) => void response.writeHead(status).end())
      failures.push(
        hubSource({ repo: 'owner/name', endpoint: hub.origin, token: TOKEN, sleep }).readText('a'),
      )
    }
    const leaky = async () => {
      throw new TypeError(`bad header Bearer ${TOKEN}`)
    }
    failures.push(hubSource({ repo: 'owner/name', token: TOKEN, sleep, fetch: leaky }).readText('a'))
    for (const result of await Promise.allSettled(failures)) {
      expect(result.status).toBe('rejected')
      const { reason } = result as PromiseRejectedResult
      expect(reason).toBeInstanceOf(NetworkError)
      expect(reason.message + reason.stack).not.toContain(TOKEN)
    }
  })

  test('with a line break is refused without being repeated', () => {
    const make = () => hubSource({ repo: 'owner/name', token: `${TOKEN}\n` })
    expect(make).toThrow(ConfigError)
    expect(make).not.toThrow(TOKEN)
  })
})

describe('answers of the hub', () => {
  test.each([401, 403])('%d asks for a token, or for its rights', async (status) => {
    const hub = await serving((_, response) => void response.writeHead(status).end())
    const location = { repo: 'owner/name', endpoint: hub.origin, sleep }
    const closed = hubSource(location).sizeOf('config.json')
    await expect(closed).rejects.toBeInstanceOf(NetworkError)
    await expect(closed).rejects.toThrow(/gated or private.*accept the license.*give an access token/)
    await expect(hubSource({ ...location, token: TOKEN }).sizeOf('config.json')).rejects.toThrow(
      'the token may not read it',
    )
  })

  test('404 means no such file, unless it says that more is missing', async () => {
    let code = 'EntryNotFound'
    const hub = await serving((_, response) => void response.writeHead(404, { 'x-error-code': code }).end())
    const source = hubSource({ repo: 'owner/name', revision: 'v9', endpoint: hub.origin, sleep })
    expect(await source.sizeOf('config.json')).toBeUndefined()
    expect(await source.readText('config.json')).toBeUndefined()
    code = 'RevisionNotFound'
    await expect(source.readText('config.json')).rejects.toThrow(
      'owner/name@v9: expected an existing revision',
    )
    code = 'RepoNotFound'
    await expect(source.sizeOf('config.json')).rejects.toThrow('expected an existing repository')
  })
})

describe('the repository', () => {
  test.each([
    'name',
    'a/b/c',
    '../name',
    'owner/..',
    'owner/',
    '/name',
    'own er/name',
    'owner/name@',
    'owner/name@a b',
  ])('%j is refused', (repo) => {
    expect(() => hubSource({ repo })).toThrow(ConfigError)
  })

  test('takes its revision from either place, not from both', () => {
    expect(hubSource({ repo: 'owner/name@v1' }).name).toBe('owner/name@v1')
    expect(hubSource({ repo: 'owner/name', revision: 'v1' }).name).toBe('owner/name@v1')
    expect(() => hubSource({ repo: 'owner/name@v1', revision: 'v2' })).toThrow('one revision')
  })
})
