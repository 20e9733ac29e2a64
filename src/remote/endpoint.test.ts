import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { AskEvent, AskRequest, EndpointLocation, Reply } from '../worker/api'
import { EndpointModel } from './endpoint'
import { PATIENCE, type Patience } from './server'
import { answerEvents, event, json, MockServer, stream } from './testing/mock-server'

/** Impatient with one thing each, so that a slow machine trips over nothing else. */
const AT_ONCE: Patience = { ...PATIENCE, retryMs: 5 }
const SILENT: Patience = { ...PATIENCE, listMs: 100, firstMs: 100 }
const STALLING: Patience = { ...PATIENCE, stallMs: 100 }
const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3])

let server: MockServer
beforeEach(async () => {
  server = await MockServer.start()
})
afterEach(() => server.stop())

const open = (more: Partial<EndpointLocation> = {}, patience: Patience = PATIENCE) =>
  EndpointModel.open(
    { kind: 'endpoint', baseUrl: more.baseUrl ?? server.baseUrl, ...more },
    new AbortController().signal,
    patience,
  )

const question = (more: Partial<AskRequest> = {}): AskRequest => ({
  messages: [{ role: 'user', text: 'What is it?' }],
  sampling: { temperature: 0, topP: 1, topK: 0, repetitionPenalty: 1, seed: 0 },
  maxNewTokens: 32,
  ...more,
})

/** Asks, and gives what was told on the way too. */
async function ask(
  model: EndpointModel,
  request = question(),
): Promise<{ reply?: Reply; error?: Error; text: string; notices: string[] }> {
  const events: AskEvent[] = []
  const told = () => ({
    text: events.map((one) => (one.type === 'token' ? one.text : '')).join(''),
    notices: events.flatMap((one) => (one.type === 'notice' ? one.message : [])),
  })
  try {
    const reply = await model.ask(request, (one) => events.push(one))
    return { reply, ...told() }
  } catch (error) {
    return { error: error as Error, ...told() }
  }
}

const sampled = { temperature: 0.7, topP: 0.9, topK: 40, repetitionPenalty: 1.1, seed: 7 }

describe('opening', () => {
  test('takes the one model there is, with what the server tells of it', async () => {
    const { info } = await open()
    expect(info).toMatchObject({ model: 'tiny', server: server.host, contextLength: 2048, notes: [] })
    expect(info.dtype).toBeUndefined()
  })

  test('wants a name where there are several, and lists them', async () => {
    server.models = (response) => json(response, 200, { data: [{ id: 'a' }, { id: 'b' }] })
    await expect(open()).rejects.toThrow(/^endpoint unnamed: .*It has: a, b/)
    expect((await open({ model: 'b' })).info.model).toBe('b')
  })

  test('takes a name that is not listed, and says so', async () => {
    const { info } = await open({ model: 'other' })
    expect(info.notes).toEqual([expect.stringContaining('does not list other')])
  })

  test.each([403, 404, 405, 501])(
    'a list that is refused with %d needs a name, and no more',
    async (status) => {
      server.models = (response) => json(response, status, {})
      await expect(open()).rejects.toThrow(/^endpoint unnamed: .*lists none/)
      expect((await open({ model: 'named' })).info.notes).toEqual([])
    },
  )

  test.each([
    ['no key', 401, { error: { message: 'no' } }, /^endpoint denied: .* answered 401: no\./],
    ['no list', 200, { hello: 1 }, /^endpoint malformed: /],
    ['trouble of its own', 500, 'oops', /^endpoint busy: .* answered 500: oops\./],
  ])('%s', async (_what, status, body, message) => {
    server.models = (response) => json(response, status, body)
    await expect(open()).rejects.toThrow(message)
  })

  test('trouble with the list alone keeps nobody from a model whose name is known', async () => {
    server.models = (response) => json(response, 500, 'oops')
    expect((await open({ model: 'tiny' })).info.notes).toEqual([expect.stringContaining('500: oops')])
    server.models = (response) => json(response, 401, {})
    await expect(open({ model: 'tiny' })).rejects.toThrow(/^endpoint denied/)
  })

  test('a server that is silent', async () => {
    server.models = () => {}
    await expect(open({}, SILENT)).rejects.toThrow(/^endpoint stalled: /)
  })

  test('a server that is not there', async () => {
    const { baseUrl } = server
    await server.stop()
    await expect(open({ baseUrl })).rejects.toThrow(/^endpoint unreachable: .*ECONNREFUSED/)
    server = await MockServer.start()
  })

  test('a redirect is not followed', async () => {
    const other = await MockServer.start()
    server.models = (response) => void response.writeHead(307, { Location: `${other.baseUrl}/models` }).end()
    await expect(open({ apiKey: 'secret' })).rejects.toThrow(/^endpoint redirected: /)
    expect(other.received).toEqual([])
    await other.stop()
  })

  test.each([
    ['ftp://x/v1', /another text/],
    ['nonsense', /another text/],
    ['http://me:pass@localhost/v1', /without user and password/],
    ['http://localhost/v1?key=1', /without "\?"/],
  ])('refuses the address %s without repeating it', async (baseUrl, message) => {
    const error = await open({ baseUrl }).catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ name: 'EndpointError', message: expect.stringMatching(message) as string })
    expect((error as Error).message).not.toMatch(/pass@|key=/)
  })

  test('is cancelled', async () => {
    server.models = () => {}
    const controller = new AbortController()
    const opening = EndpointModel.open({ kind: 'endpoint', baseUrl: server.baseUrl }, controller.signal)
    controller.abort()
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('asking', () => {
  test('streams, with the counts that the server gives and times of its own', async () => {
    const { reply, text } = await ask(await open())
    expect(text).toBe('Two shapes.')
    expect(reply).toMatchObject({ text, finish: 'stop', promptTokens: 40, generatedTokens: 3 })
    expect(reply!.prefillMs).toBeGreaterThan(0)
    expect(reply!.tokenIds).toBeUndefined()
    expect(reply!.imageTokens).toBeUndefined()
  })

  test('sends the whole conversation, pictures first and as they are', async () => {
    await ask(
      await open(),
      question({
        messages: [
          { role: 'system', text: 'Be brief.' },
          { role: 'user', text: 'What?', images: [{ id: 'p', blob: new Blob([PNG]) }] },
          { role: 'assistant', text: 'A star.' },
          { role: 'user', text: 'Sure?' },
        ],
      }),
    )
    const url = `data:image/png;base64,${Buffer.from(PNG).toString('base64')}`
    expect(server.asked).toEqual([
      {
        model: 'tiny',
        messages: [
          { role: 'system', content: 'Be brief.' },
          {
            role: 'user',
            content: [
              { type: 'image_url', image_url: { url } },
              { type: 'text', text: 'What?' },
            ],
          },
          { role: 'assistant', content: 'A star.' },
          { role: 'user', content: 'Sure?' },
        ],
        stream: true,
        stream_options: { include_usage: true },
        temperature: 0,
        max_tokens: 32,
      },
    ])
  })

  test('a large picture arrives whole', async () => {
    const bytes = new Uint8Array(200_000).map((_, i) => (i * 7919) >> 3)
    bytes.set(PNG)
    await ask(
      await open(),
      question({ messages: [{ role: 'user', text: '?', images: [{ id: 'p', blob: new Blob([bytes]) }] }] }),
    )
    const { url } = server.asked[0].messages[0].content[0].image_url
    expect(Buffer.from(url.split(',')[1], 'base64').equals(bytes)).toBe(true)
  })

  test('a file that is no picture', async () => {
    const blob = new Blob(['text'])
    const { error } = await ask(
      await open(),
      question({ messages: [{ role: 'user', text: '?', images: [{ id: 'p', blob }] }] }),
    )
    expect(error).toMatchObject({ name: 'ImageError' })
    expect(server.asked).toEqual([])
  })

  test('sends settings of sampling where it samples', async () => {
    await ask(await open(), question({ sampling: sampled, stop: ['END'] }))
    expect(server.asked[0]).toMatchObject({
      temperature: 0.7,
      top_p: 0.9,
      top_k: 40,
      repetition_penalty: 1.1,
      seed: 7,
      stop: ['END'],
    })
  })

  test.each([
    ['FastAPI', 422, { detail: "Unexpected fields in the request: {'top_k', 'repetition_penalty'}" }],
    [
      'pydantic',
      400,
      {
        detail: [
          { loc: ['body', 'top_k'], msg: 'Extra inputs are not permitted' },
          { loc: ['body', 'repetition_penalty'], msg: 'Extra inputs are not permitted' },
        ],
      },
    ],
    [
      'OpenAI',
      400,
      { error: { message: 'Unrecognized request arguments supplied: repetition_penalty, top_k' } },
    ],
  ])(
    'leaves out what the server does not know (%s), says so, and does not try again',
    async (_who, status, body) => {
      const { chat } = server
      server.chat = (response, request) =>
        'top_k' in request.body ? json(response, status, body) : chat(response, request)
      const model = await open()
      const { reply, notices } = await ask(model, question({ sampling: sampled }))
      expect(reply?.text).toBe('Two shapes.')
      expect(notices).toEqual([expect.stringContaining('does not take top_k, repetition_penalty')])
      expect((await ask(model, question({ sampling: sampled }))).notices).toEqual(notices)
      // Who asks for nothing of it misses nothing.
      expect((await ask(model)).notices).toEqual([])
      expect(server.asked).toHaveLength(4)
    },
  )

  test('names the longest answer as newer servers do', async () => {
    const { chat } = server
    server.chat = (response, request) =>
      'max_tokens' in request.body
        ? json(response, 400, {
            error: { message: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead." },
          })
        : chat(response, request)
    const { reply, notices } = await ask(await open())
    expect(reply?.finish).toBe('stop')
    expect(notices).toEqual([])
    expect(server.asked[1]).toMatchObject({ max_completion_tokens: 32 })
  })

  test('a server that does not stream', async () => {
    server.chat = (response) =>
      json(response, 200, {
        choices: [{ message: { role: 'assistant', content: 'All at once.' }, finish_reason: 'length' }],
        usage: { prompt_tokens: 4, completion_tokens: 5 },
      })
    const { reply, text } = await ask(await open())
    expect(text).toBe('All at once.')
    expect(reply).toMatchObject({ finish: 'length', generatedTokens: 5, tokensPerSecond: 0 })
  })

  test('a server that tells no counts, and ends without a word', async () => {
    server.chat = (response) => {
      stream(response, ...answerEvents('Yes.').slice(0, 2))
      response.end()
    }
    const { reply } = await ask(await open())
    expect(reply).toMatchObject({ text: 'Yes.', finish: 'stop' })
    expect(reply!.generatedTokens).toBeUndefined()
  })

  test('characters may be cut anywhere between two pieces', async () => {
    server.chat = async (response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      const bytes = Buffer.from(answerEvents('Größe 🦞', ' 数').join(''))
      for (let at = 0; at < bytes.length; at += 7) {
        response.write(bytes.subarray(at, at + 7))
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.end()
    }
    expect((await ask(await open())).text).toBe('Größe 🦞 数')
  })

  test('prompts as they are and profiles are not for servers', async () => {
    const model = await open()
    expect((await ask(model, question({ raw: { prompt: 'x', images: [] } }))).error?.name).toBe('ConfigError')
    expect((await ask(model, question({ profile: true }))).notices).toEqual([
      expect.stringContaining('no profile'),
    ])
  })
})

describe('stopping', () => {
  test('ends the answer at once, keeps what came, and closes the connection', async () => {
    server.chat = (response) => stream(response, ...answerEvents('One ', 'two ').slice(0, 2))
    const model = await open()
    const { reply } = await new Promise<Awaited<ReturnType<typeof ask>>>((resolve) => {
      const events: AskEvent[] = []
      void model
        .ask(question(), (one) => {
          if (events.push(one) === 2) model.abort()
        })
        .then((done) => resolve({ reply: done, text: '', notices: [] }))
    })
    expect(reply).toMatchObject({ text: 'One two ', finish: 'aborted' })
    await vi.waitFor(() => expect(server.closed).toBe(1))
  })

  test('ends those that wait too, which are never asked', async () => {
    server.chat = () => {}
    const model = await open()
    const asked = [ask(model), ask(model)]
    await vi.waitFor(() => expect(server.asked).toHaveLength(1))
    model.abort()
    for (const { reply } of await Promise.all(asked))
      expect(reply).toMatchObject({ text: '', finish: 'aborted' })
    expect(server.asked).toHaveLength(1)
  })

  test('ends a wait for a busy server', async () => {
    server.chat = (response) => json(response, 429, {}, { 'Retry-After': '20' })
    const model = await open()
    const asked = ask(model)
    await vi.waitFor(() => expect(server.asked).toHaveLength(1))
    model.abort()
    expect((await asked).reply?.finish).toBe('aborted')
  })
})

describe('errors', () => {
  test.each([
    [
      400,
      { error: { message: 'At most 1 image(s) may be provided' } },
      /^endpoint refused: .* 400: At most 1 image/,
    ],
    [401, { error: { message: 'bad key sk-SECRET' } }, /^endpoint denied: .* 401: bad key …\./],
    [403, { error: 'not yours' }, /^endpoint denied: .* 403: not yours\./],
    [404, { error: { message: 'The model `tiny` does not exist.' } }, /^endpoint missing: .*does not exist/],
    [413, '', /^endpoint oversized: .* answered 413\. Send fewer/],
    [422, { detail: 'no such thing' }, /^endpoint refused: .* 422: no such thing/],
  ])('%d is told in the server’s words, once', async (status, body, message) => {
    server.chat = (response) => json(response, status, body)
    const { error } = await ask(await open({ apiKey: 'sk-SECRET' }))
    expect(error).toMatchObject({ name: 'EndpointError' })
    expect(error!.message).toMatch(message)
    expect(error!.message).not.toContain('SECRET')
    expect(server.asked).toHaveLength(1)
  })

  test('a page in HTML is not quoted', async () => {
    server.chat = (response) => void response.writeHead(400, {}).end('<html>nginx</html>')
    expect((await ask(await open())).error!.message).toMatch(/answered 400\.$/)
  })

  test('a conversation that is too long is one for all models', async () => {
    server.chat = (response) =>
      json(response, 400, {
        error: {
          message: "'max_tokens' is too large: 512. This model's maximum context length is 2048 tokens",
        },
      })
    expect((await ask(await open())).error).toMatchObject({ name: 'ContextOverflowError' })
  })

  test.each([429, 500, 503])('a server that answers %d is asked again, four times in all', async (status) => {
    server.chat = (response) => json(response, status, { error: { message: 'later' } })
    const { error } = await ask(await open({}, AT_ONCE))
    expect(error!.message).toMatch(new RegExp(`^endpoint busy: .* answered ${status}: later`))
    expect(server.asked).toHaveLength(4)
  })

  test('one that recovers answers', async () => {
    const { chat } = server
    server.chat = (response, request) =>
      server.asked.length < 3 ? json(response, 503, {}, { 'Retry-After': '0' }) : chat(response, request)
    expect((await ask(await open({}, AT_ONCE))).reply?.text).toBe('Two shapes.')
  })

  test.each([['3600'], [new Date(Date.now() + 3.6e6).toUTCString()]])(
    'who asks to come back in an hour (%s) is not waited for',
    async (header) => {
      server.chat = (response) => json(response, 429, {}, { 'Retry-After': header })
      expect((await ask(await open({}, AT_ONCE))).error!.message).toMatch(/^endpoint busy/)
      expect(server.asked).toHaveLength(1)
    },
  )

  /** Streams that go wrong behind their first piece: what came has been told. */
  test.each<[string, RegExp, (response: Parameters<MockServer['chat']>[0]) => void]>([
    ['breaks', /^endpoint broken: /, (response) => setTimeout(() => response.destroy(), 20)],
    ['ends without an end', /^endpoint broken: /, (response) => void response.end()],
    ['stalls', /^endpoint stalled: .*for 0\.1 s/, () => {}],
    ['is no JSON', /^endpoint malformed: .*<oops>/, (response) => stream(response, event('<oops>'))],
    [
      'holds an error',
      /^endpoint failed: .*out of memory/,
      (response) => stream(response, event({ error: { message: 'CUDA out of memory' } })),
    ],
    [
      'never ends a line',
      /^endpoint malformed: .*more than 1048576 characters/,
      (response) => stream(response, 'data: ', 'x'.repeat(1.1e6)),
    ],
  ])('a stream that %s', async (_how, message, go) => {
    server.chat = (response) => {
      stream(response, ...answerEvents('Two ').slice(0, 1))
      go(response)
    }
    const { error, text } = await ask(await open({}, STALLING))
    expect(error!.message).toMatch(message)
    expect(text).toBe('Two ')
    expect(server.asked).toHaveLength(1)
  })

  test('a server that never begins', async () => {
    server.chat = () => {}
    expect((await ask(await open({}, { ...PATIENCE, firstMs: 100 }))).error!.message).toMatch(
      /^endpoint stalled: .*for 0\.1 s/,
    )
    await vi.waitFor(() => expect(server.closed).toBe(1))
  })

  test('what goes wrong behind the end is nobody’s trouble', async () => {
    server.chat = (response) => stream(response, ...answerEvents('Yes.').slice(0, 2), event('garbage'))
    expect((await ask(await open())).reply).toMatchObject({ text: 'Yes.', finish: 'stop' })
  })

  test('a server that does not stop talking is ended', async () => {
    server.chat = async (response) => {
      while (!response.destroyed) {
        stream(response, ...answerEvents('x'.repeat(1000)).slice(0, 1))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const { reply, notices } = await ask(await open(), question({ maxNewTokens: 64 }))
    expect(reply!.finish).toBe('length')
    expect(reply!.text.length).toBeLessThan(64 * 64 + 1001)
    expect(notices).toEqual([expect.stringContaining('said more')])
    await vi.waitFor(() => expect(server.closed).toBe(1))
  })

  test.each([
    ['{}', 'application/json'],
    ['<html></html>', 'text/html'],
  ])('%s is no answer', async (body, type) => {
    server.chat = (response) => void response.writeHead(200, { 'Content-Type': type }).end(body)
    expect((await ask(await open())).error!.message).toMatch(/^endpoint malformed: /)
  })

  test('the next question is asked all the same', async () => {
    const { chat } = server
    server.chat = (response) => json(response, 400, { error: 'once' })
    const model = await open()
    await ask(model)
    server.chat = chat
    expect((await ask(model)).reply?.text).toBe('Two shapes.')
  })
})

describe('the key', () => {
  test('goes to the server alone, in a header', async () => {
    await ask(await open({ apiKey: 'sk-SECRET' }))
    for (const { headers, url, body } of server.received) {
      expect(headers.authorization).toBe('Bearer sk-SECRET')
      expect(url + JSON.stringify(body ?? '')).not.toContain('SECRET')
    }
  })

  test('is not there where none is given', async () => {
    await ask(await open({ apiKey: '' }))
    for (const { headers } of server.received) expect(headers.authorization).toBeUndefined()
  })

  test('does not go where a redirect points', async () => {
    const other = await MockServer.start()
    server.chat = (response) =>
      void response.writeHead(308, { Location: `${other.baseUrl}/chat/completions` }).end()
    const { error } = await ask(await open({ apiKey: 'sk-SECRET' }))
    expect(error!.message).toMatch(/^endpoint redirected: /)
    expect(other.received).toEqual([])
    await other.stop()
  })

  test('of characters that no header takes is refused without being repeated', async () => {
    await expect(open({ apiKey: 'ключ SECRET' })).rejects.toThrow(/^endpoint address: (?!.*SECRET)/)
  })
})
