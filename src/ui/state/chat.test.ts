import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { AskEvent, AskRequest, Reply } from '../../worker/api'
import type { Picture } from '../chat/pictures'
import { messagesOf, type Language, type Messages } from '../text/messages'
import { Answer, Chat, Conversation, Question, toMessages } from './chat.svelte'
import type { EngineState } from './engine.svelte'
import { DEFAULTS, soundSettings, type Settings } from './settings.svelte'

const picture = (id: string) =>
  ({ id, name: `${id}.png`, blob: new Blob([id]), url: `blob:${id}` }) as Picture
const answered = (text: string) => Object.assign(new Answer(), { text, phase: 'stop' as const })
const reply = (text: string, finish: Reply['finish'] = 'stop') =>
  ({
    text,
    finish,
    generatedTokens: 2,
    tokenIds: [1, 2],
    promptTokens: 9,
    imageTokens: 0,
    reusedTokens: 3,
    prefillMs: 5,
  }) as Reply

beforeEach(() => {
  vi.stubGlobal('navigator', { gpu: {}, onLine: true })
  vi.stubGlobal('isSecureContext', true)
  vi.stubGlobal('document', { hidden: true })
  vi.stubGlobal('cancelAnimationFrame', () => {})
})

function stage(
  ask: (request: AskRequest, onEvent: (event: AskEvent) => void) => Promise<Reply>,
  texts?: () => Messages,
) {
  const engine = {
    isReady: true,
    status: 'ready',
    target: { label: 'tiny' },
    ask: vi.fn(ask),
    abort: vi.fn(),
  }
  const settings = { data: { ...DEFAULTS }, sampling: () => ({ temperature: 0 }) }
  /** What was to be kept, in order: phases of answers, each time. */
  const kept: [id: string, ...phases: string[]][] = []
  const said: string[] = []
  const chat = new Chat(
    engine as unknown as EngineState,
    settings as unknown as Settings,
    (text) => said.push(text),
    texts,
  )
  chat.keep = ({ id, entries }) =>
    kept.push([id, ...entries.map((entry) => (entry.role === 'user' ? 'asked' : entry.phase))])
  return { chat, engine, kept, said, settings }
}

describe('toMessages', () => {
  test('puts the system prompt first and carries pictures by id', () => {
    expect(toMessages([new Question('What?', [picture('a')])], ' Be brief. ')).toEqual([
      { role: 'system', text: 'Be brief.' },
      { role: 'user', text: 'What?', images: [{ id: 'a', blob: expect.any(Blob) }] },
    ])
  })

  test('joins questions around an answer that never came', () => {
    const entries = [
      new Question('First', [picture('a')]),
      answered(''),
      new Question('Second', [picture('b')]),
      answered('Yes.'),
      new Question('Third', []),
    ]
    expect(toMessages(entries, '').map(({ role, text, images }) => [role, text, images?.length])).toEqual([
      ['user', 'First\nSecond', 2],
      ['assistant', 'Yes.', undefined],
      ['user', 'Third', 0],
    ])
  })
})

describe('chat', () => {
  test('streams an answer, announces its start and end, and keeps it', async () => {
    const seen: string[] = []
    const { chat, said, kept } = stage(async (_request, onEvent) => {
      onEvent({ type: 'prefill', promptTokens: 9, reusedTokens: 3, imageTokens: 0 })
      seen.push((chat.entries[1] as Answer).activity)
      onEvent({ type: 'token', text: 'Yes', tokenId: 1, index: 0 })
      seen.push(chat.entries[1]!.text)
      return reply('Yes.')
    })
    await chat.send('  Is it? ', [])
    expect(seen).toEqual(['Reading 6 tokens', 'Yes'])
    expect(chat.entries.map(({ role, text }) => [role, text])).toEqual([
      ['user', 'Is it?'],
      ['assistant', 'Yes.'],
    ])
    expect((chat.entries[1] as Answer).stats).toMatchObject({ tokens: 2, reusedTokens: 3, model: 'tiny' })
    expect(said).toEqual(['Generating', 'Answer complete'])
    const { id } = chat.shown
    expect(kept).toEqual([
      [id, 'asked', 'waiting'],
      [id, 'asked', 'stop'],
    ])
  })

  test('regenerating and resending drop what followed', async () => {
    const { chat, engine } = stage(async () => reply('A'))
    await chat.send('one', [])
    await chat.send('two', [])
    await chat.regenerate(chat.entries[1] as Answer)
    expect(chat.entries).toHaveLength(2)
    await chat.resend(chat.entries[0] as Question, 'changed')
    expect(chat.entries.map(({ text }) => text)).toEqual(['changed', 'A'])
    expect(engine.ask.mock.lastCall![0].messages).toEqual([{ role: 'user', text: 'changed', images: [] }])
  })

  test('an answer that fails says why; one the engine died under only that it ended', async () => {
    const { chat, engine } = stage(async () => {
      throw Object.assign(new Error('too long'), { name: 'ContextOverflowError' })
    })
    await chat.send('one', [])
    expect(chat.entries[1]).toMatchObject({ phase: 'failed', problem: { name: 'ContextOverflowError' } })
    engine.ask.mockImplementation(async () => {
      engine.status = 'lost'
      throw Object.assign(new Error('gone'), { name: 'DeviceLostError' })
    })
    await chat.send('two', [])
    expect(chat.entries[3]).toMatchObject({ phase: 'lost', problem: undefined })
  })

  test('an answer goes on in its own conversation while another is shown', async () => {
    let finish = (_reply: Reply) => {}
    const { chat, kept } = stage(() => new Promise((resolve) => (finish = resolve)))
    const first = chat.shown
    const sent = chat.send('one', [])
    const { ended } = chat.answering!
    chat.shown = new Conversation()
    expect(chat.running).toBe(first.entries[1])
    expect(await chat.send('two', [])).toBeUndefined()
    expect(chat.entries).toEqual([])
    finish(reply('A'))
    await sent
    await ended
    expect(chat.running).toBeUndefined()
    expect([first.entries[1]!.text, kept.at(-1)]).toEqual(['A', [first.id, 'asked', 'stop']])
    expect(chat.entries).toEqual([])
  })

  test('the newest answer about a picture can be looked into, with all pictures so far', async () => {
    const { chat, engine } = stage(async (_request, onEvent) => {
      onEvent({ type: 'token', text: 'A fr', tokenId: 1, index: 0 })
      onEvent({ type: 'token', text: 'og', tokenId: 2, index: 1 })
      return reply('A frog')
    })
    const model = { towers: ['./towers/clip', 'dinov2'] }
    Object.assign(engine, { model })
    await chat.send('What?', [picture('a')])
    const first = chat.entries[1] as Answer
    expect(chat.lookable(first)).toEqual({
      words: [
        { text: 'A', tokens: [0] },
        { text: 'frog', tokens: [0, 1] },
      ],
      pictures: [expect.objectContaining({ id: 'a' })],
      towers: ['clip', 'dinov2'],
    })
    await chat.send('And this?', [picture('b')])
    const second = chat.entries[3] as Answer
    expect(chat.lookable(first)).toBeUndefined()
    // Read again from where it was kept, it is the same answer.
    expect(chat.lookable(new Answer(second.id))).toEqual(chat.lookable(second))
    expect(chat.lookable(second)!.pictures.map(({ id }) => id)).toEqual(['a', 'b'])
    // Another model holds nothing of it.
    Object.assign(engine, { model: { ...model } })
    expect(chat.lookable(second)).toBeUndefined()
  })

  test('an answer without a picture cannot', async () => {
    const { chat, engine } = stage(async (_request, onEvent) => {
      onEvent({ type: 'token', text: 'Yes', tokenId: 1, index: 0 })
      return reply('Yes')
    })
    Object.assign(engine, { model: { towers: [] } })
    await chat.send('Is it?', [])
    expect(chat.lookable(chat.entries[1] as Answer)).toBeUndefined()
  })

  test('tells how many pictures are looked at, and how far that is once something is done', async () => {
    const seen: [string, number | undefined][] = []
    const { chat } = stage(async (_request, onEvent) => {
      const told = (images: number, cached: number, share: number) => {
        onEvent({ type: 'encoding', images, cached, share })
        const { activity, progress } = chat.entries[1] as Answer
        seen.push([activity, progress])
      }
      told(3, 1, 0)
      told(3, 1, 0.5)
      told(2, 1, 0)
      told(2, 2, 1)
      return reply('A')
    })
    await chat.send('What?', [picture('a')])
    expect(seen).toEqual([
      ['Looking at 2 pictures', undefined],
      ['Looking at 2 pictures', 0.5],
      ['Looking at the picture', undefined],
      ['Reading the question', undefined],
    ])
  })

  test('a tower that is fetched shows how far it is, and a notice stays with the answer', async () => {
    const seen: [string, string][] = []
    const { chat } = stage(async (_request, onEvent) => {
      const note = () => {
        const { phase, activity } = chat.entries[1] as Answer
        seen.push([phase, activity])
      }
      onEvent({ type: 'encoding', images: 1, cached: 0, share: 0 })
      const tower = {
        type: 'tower',
        tower: 1,
        towers: 4,
        name: './towers/clip',
        cached: false,
      } as const
      onEvent({ ...tower, doneBytes: 419, totalBytes: 1000 })
      note()
      expect((chat.entries[1] as Answer).progress).toBe(0.419)
      for (let picture = 0; picture < 2; picture++) {
        onEvent({ type: 'notice', message: 'The picture stands elsewhere.' })
      }
      note()
      return reply('A')
    })
    await chat.send('What?', [picture('a')])
    const fetching = 'Fetching vision tower 2 of 4, clip: 41%'
    expect(seen).toEqual([
      ['encoding', fetching],
      ['encoding', fetching],
    ])
    expect((chat.entries[1] as Answer).notices).toEqual(['The picture stands elsewhere.'])
  })

  test('says what it does in the language of the moment', async () => {
    const seen: string[] = []
    let language: Language = 'de'
    const { chat, said } = stage(
      async (_request, onEvent) => {
        onEvent({ type: 'prefill', promptTokens: 1300, reusedTokens: 100, imageTokens: 0 })
        seen.push((chat.entries[1] as Answer).activity)
        language = 'fr'
        throw Object.assign(new Error('too long'), { name: 'ContextOverflowError' })
      },
      () => messagesOf(language),
    )
    await chat.send('one', [])
    expect(seen).toEqual(['Liest 1.200 Token'])
    expect((chat.entries[1] as Answer).problem).toMatchObject({
      title: 'La discussion dépasse le contexte du modèle.',
      detail: 'too long',
    })
    expect(said).toEqual([
      'Antwort wird erzeugt',
      'Pas de réponse. La discussion dépasse le contexte du modèle.',
    ])
  })

  test('nothing is asked without a model or without words', async () => {
    const { chat, engine } = stage(async () => reply('A'))
    await chat.send('   ', [picture('a')])
    engine.isReady = false
    await chat.send('one', [])
    expect(engine.ask).not.toHaveBeenCalled()
    expect(chat.entries).toHaveLength(0)
  })
})

describe('settings', () => {
  test('anything becomes sound', () => {
    expect(soundSettings(null)).toEqual(DEFAULTS)
    expect(
      soundSettings({ temperature: 9, topP: -1, topK: 3.6, seed: NaN, maxNewTokens: '5', systemPrompt: 7 }),
    ).toEqual({ ...DEFAULTS, temperature: 2, topP: 0.05, topK: 4 })
  })
})
