import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Reply } from '../../worker/api'
import { Chat, Conversation } from '../state/chat.svelte'
import type { EngineState } from '../state/engine.svelte'
import { DEFAULTS, type Settings } from '../state/settings.svelte'
import { writeArchive } from './archive'
import { Chats, UNDO_MS } from './chats.svelte'
import type { StoreEvents } from './indexed-db-store'
import { memoryStore } from './memory-store'
import type { ChatStore } from './store'
import type { Told } from './tabs'

beforeEach(() => {
  vi.stubGlobal('navigator', { gpu: {}, onLine: true })
  vi.stubGlobal('isSecureContext', true)
  vi.stubGlobal('document', { hidden: true })
  vi.stubGlobal('cancelAnimationFrame', () => {})
})
afterEach(() => vi.useRealTimers())

const answered = (text: string) =>
  ({ text, finish: 'stop', tokenIds: [1], promptTokens: 9, imageTokens: 0, reusedTokens: 0 }) as Reply
const full = () => Promise.reject(new DOMException('full', 'QuotaExceededError'))

/** What all tabs of a page have together. */
function page(store: ChatStore = memoryStore()) {
  const listeners: ((told: Told) => void)[] = []
  const writing = new Map<string, { ended: Promise<void>; end: () => void }>()
  return { store, listeners, writing, kept: new Map<string, unknown>() }
}

/** One tab, whose engine answers when a test says so. */
function tab(
  { store, listeners, writing, kept }: ReturnType<typeof page>,
  open: (events: StoreEvents) => Promise<ChatStore> = async () => store,
) {
  const asked: ((reply: Reply) => void)[] = []
  const engine = {
    isReady: true,
    status: 'ready',
    target: { label: 'tiny' },
    ask: () => new Promise<Reply>((resolve) => asked.push(resolve)),
    abort: async () => asked.at(-1)?.({ ...answered('cut'), finish: 'aborted' }),
  }
  const settings = { data: { ...DEFAULTS }, sampling: () => ({ temperature: 0 }) }
  const said: string[] = []
  const say = (text: string) => void said.push(text)
  const chat = new Chat(engine as unknown as EngineState, settings as unknown as Settings, say)
  let own: (told: Told) => void = () => {}
  const chats = new Chats({
    chat,
    open,
    tabs: {
      tell: (told) => listeners.forEach((hear) => hear !== own && hear(told)),
      listen: (hear) => listeners.push((own = hear)),
      answer(id, ended) {
        let end = () => {}
        writing.set(id, { ended: new Promise((resolve) => (end = resolve)), end })
        void ended.then(() => {
          writing.delete(id)
          end()
        })
      },
      answers: async () => new Set(writing.keys()),
      ended: async (id) => writing.get(id)?.ended,
    },
    keep: { read: (name) => kept.get(name) ?? null, write: (name, value) => void kept.set(name, value) },
    modelName: () => 'tiny',
    say,
  })
  const ask = (question: string) => {
    const sent = chat.send(question, [])
    return { sent, answer: (text: string) => (asked.at(-1)!(answered(text)), sent) }
  }
  /** Asks and is answered, and waits until both are kept. */
  const exchange = async (question: string, answer: string) => {
    await ask(question).answer(answer)
    await chats.saving
  }
  return { chat, chats, said, ask, exchange }
}

async function open(...given: Parameters<typeof tab>) {
  const opened = tab(...given)
  await opened.chats.start()
  return opened
}

const titles = ({ chats }: { chats: Chats }) => chats.heads.map(({ title }) => title)
const texts = ({ chat }: { chat: Chat }) => chat.entries.map(({ text }) => text)
const idOf = ({ chats }: { chats: Chats }, title: string) =>
  chats.heads.find((head) => head.title === title)!.id

describe('chats of one tab', () => {
  test('are listed once something is asked, and the last one shown is there on the next visit', async () => {
    const shared = page()
    const here = await open(shared)
    expect([here.chat.isRestoring, here.chats.isListed, titles(here)]).toEqual([false, true, []])
    await here.exchange('one', 'A')
    here.chats.startNew()
    expect(texts(here)).toEqual([])
    await here.exchange('two', 'B')
    await vi.waitFor(() => expect(titles(here)).toEqual(['two', 'one']))
    await here.chats.open(idOf(here, 'one'))
    expect(texts(here)).toEqual(['one', 'A'])
    expect(texts(await open(shared))).toEqual(['one', 'A'])
    // One in which nothing was said is none, but it was the last one shown.
    here.chats.startNew()
    expect(texts(await open(shared))).toEqual([])
  })

  test('an answer lands in its own chat, also where that was left and met again', async () => {
    const here = await open(page())
    await here.exchange('one', 'A')
    here.chats.startNew()
    const { answer } = here.ask('two')
    const written = here.chat.shown
    await vi.waitFor(() => expect(titles(here)).toEqual(['two', 'one']))
    await here.chats.open(idOf(here, 'one'))
    expect(here.chat.running).toBe(written.entries[1])
    await here.chats.open(idOf(here, 'two'))
    expect(here.chat.shown).toBe(written)
    await here.chats.open(idOf(here, 'one'))
    await answer('B')
    expect(texts(here)).toEqual(['one', 'A'])
    await here.chats.open(idOf(here, 'two'))
    expect(texts(here)).toEqual(['two', 'B'])
  })

  test('of two that are opened at once the later is shown', async () => {
    const here = await open(page())
    for (const question of ['one', 'two', 'three']) {
      here.chats.startNew()
      await here.exchange(question, 'A')
    }
    await vi.waitFor(() => expect(titles(here)).toHaveLength(3))
    await Promise.all(['one', 'two'].map((title) => here.chats.open(idOf(here, title))))
    expect(texts(here)[0]).toBe('two')
  })

  test('what is deleted can be brought back for a while', async () => {
    const here = await open(page())
    await here.exchange('one', 'A')
    vi.useFakeTimers()
    await here.chats.remove(idOf(here, 'one'))
    expect([titles(here), texts(here)]).toEqual([[], []])
    vi.advanceTimersByTime(UNDO_MS - 1)
    await here.chats.undo()
    expect([titles(here), texts(here)]).toEqual([['one'], ['one', 'A']])
    await here.chats.remove(idOf(here, 'one'))
    here.chats.holdUndo(true)
    vi.advanceTimersByTime(UNDO_MS)
    expect(here.chats.deleted).toBeDefined()
    here.chats.holdUndo(false)
    vi.advanceTimersByTime(UNDO_MS)
    expect(here.chats.deleted).toBeUndefined()
    await here.chats.undo()
    expect(titles(here)).toEqual([])
  })

  test('one that is deleted while it is answered is stopped first, and stays away', async () => {
    const here = await open(page())
    const { sent } = here.ask('one')
    await vi.waitFor(() => expect(titles(here)).toEqual(['one']))
    await here.chats.remove(idOf(here, 'one'))
    await sent
    expect([titles(here), here.chat.running]).toEqual([[], undefined])
    await here.chats.undo()
    expect(here.chat.entries[1]).toMatchObject({ text: 'cut', phase: 'aborted' })
  })

  test('are renamed, and found by title, question and answer as they are now', async () => {
    const here = await open(page())
    await here.exchange('Which bird?', 'A finch')
    here.chats.startNew()
    await here.exchange('Which fish?', 'A carp')
    await vi.waitFor(() => expect(titles(here)).toHaveLength(2))
    const found = async (query: string) => {
      here.chats.search(query)
      await vi.waitFor(() => expect(here.chats.isIndexing).toBe(false))
      return here.chats.found.map(({ title }) => title)
    }
    expect(await found('which')).toEqual(['Which fish?', 'Which bird?'])
    expect(await found('FINCH')).toEqual(['Which bird?'])
    expect(here.chats.snippet(idOf(here, 'Which bird?'))).toMatchObject({ match: 'finch' })
    await here.chats.rename(idOf(here, 'Which bird?'), '  Small\nbird ')
    expect(await found('small')).toEqual(['Small'])
    await here.exchange('And its colour?', 'Silver')
    await vi.waitFor(async () => expect(await found('silver')).toEqual(['Which fish?']))
    await here.chats.remove(idOf(here, 'Which fish?'))
    expect(await found('silver')).toEqual([])
    expect(await found('')).toEqual(['Small'])
    await here.chats.rename(idOf(here, 'Small'), '   ')
    expect(titles(here)).toEqual(['Small'])
  })

  test('all are deleted, and the running answer with them', async () => {
    const here = await open(page())
    await here.exchange('one', 'A')
    here.chats.startNew()
    here.ask('two')
    await here.chats.removeAll()
    expect([titles(here), texts(here), here.chat.running]).toEqual([[], [], undefined])
    expect(here.said.at(-1)).toBe('All chats are deleted.')
  })

  test('imported ones stand beside those that are here', async () => {
    const shared = page()
    const here = await open(shared)
    await here.exchange('one', 'A')
    const own = idOf(here, 'one')
    const file = new File([await writeArchive([(await shared.store.load(own))!])], 'one.json')
    await here.chats.import([file, new File(['{'], 'two.json')])
    expect(titles(here)).toEqual(['one', 'one'])
    expect(here.chats.notice).toEqual({
      text: '1 chat imported. two.json is not a JSON file, or it ends early.',
      isBad: true,
    })
    // It is shown, the other is as it was.
    expect(here.chat.shown.id).not.toBe(own)
    expect(texts(here)).toEqual(['one', 'A'])
    expect((await shared.store.load(own))!.head.revision).toBe(2)
  })
})

describe('where the browser keeps nothing', () => {
  test('because it refuses, chats stay until the page is closed', async () => {
    const here = await open(page(), () => Promise.reject(new DOMException('no', 'SecurityError')))
    expect(here.chats.problem).toBe('refused')
    expect(here.said.at(-1)).toContain('The browser keeps no chats')
    await here.exchange('one', 'A')
    here.chats.startNew()
    await vi.waitFor(() => expect(titles(here)).toEqual(['one']))
    await here.chats.open(idOf(here, 'one'))
    expect(texts(here)).toEqual(['one', 'A'])
  })

  test('because it is full, what was said stays here, and is kept once there is room', async () => {
    const store = memoryStore()
    const shared = page({ ...store, save: full })
    const here = await open(shared)
    await here.exchange('one', 'A')
    expect(here.chats.problem).toBe('full')
    const id = idOf(here, 'one')
    expect(here.chats.isUnsaved(id)).toBe(true)
    here.chats.startNew()
    await here.chats.open(id)
    expect(texts(here)).toEqual(['one', 'A'])
    shared.store.save = store.save
    await here.exchange('two', 'B')
    expect(here.chats.problem).toBeUndefined()
    expect([here.chats.isUnsaved(id), (await store.load(id))!.entries.length]).toEqual([false, 4])
  })

  test('because an older page holds it, the page goes on, and keeps all once that is gone', async () => {
    const store = memoryStore()
    let free = (_store: ChatStore) => {}
    const here = tab(page(store), ({ onBlocked }) => {
      queueMicrotask(() => onBlocked!())
      return new Promise((resolve) => (free = resolve))
    })
    const started = here.chats.start()
    await vi.waitFor(() => expect(here.chats.problem).toBe('blocked'))
    expect(here.chat.isRestoring).toBe(false)
    await here.ask('one').answer('A')
    free(store)
    await started
    await vi.waitFor(() => expect(titles(here)).toEqual(['one']))
    expect([here.chats.problem, texts(here)]).toEqual([undefined, ['one', 'A']])
  })

  test('because a newer page has closed it, it says so whatever fails after', async () => {
    let close = () => {}
    const shared = page({ ...memoryStore(), save: full })
    const here = await open(shared, async ({ onClosed }) => {
      close = onClosed!
      return shared.store
    })
    close()
    await here.exchange('one', 'A')
    expect(here.chats.problem).toBe('closed')
  })
})

describe('chats of two tabs', () => {
  async function two() {
    const shared = page()
    const here = await open(shared)
    await here.exchange('one', 'A')
    return { shared, here, there: await open(shared) }
  }

  test('follow one another', async () => {
    const { here, there } = await two()
    expect(texts(there)).toEqual(['one', 'A'])
    await there.exchange('two', 'B')
    await vi.waitFor(() => expect(texts(here)).toEqual(['one', 'A', 'two', 'B']))
    await here.chats.rename(idOf(here, 'one'), 'Ours')
    await vi.waitFor(() => expect(titles(there)).toEqual(['Ours']))
    await here.chats.removeAll()
    await vi.waitFor(() => expect(texts(there)).toEqual([]))
    expect(there.chats.notice?.text).toBe('This chat was deleted in another tab.')
  })

  test('that ask in the same chat at once lose nothing', async () => {
    const { shared, here, there } = await two()
    const [ours, theirs] = [here.ask('here'), there.ask('there')]
    await Promise.all([ours.answer('B'), theirs.answer('C')])
    await vi.waitFor(() => expect(titles(here)).toHaveLength(2))
    await vi.waitFor(() => expect(titles(there)).toHaveLength(2))
    const kept = await Promise.all((await shared.store.heads()).map(({ id }) => shared.store.load(id)))
    expect(kept.map((chat) => chat!.entries.map(({ text }) => text).join()).sort()).toEqual([
      'one,A,here,B',
      'one,A,there,C',
    ])
    expect([texts(here).at(-1), texts(there).at(-1)]).toEqual(['B', 'C'])
    expect([here, there].filter(({ chats }) => chats.notice?.isBad)).toHaveLength(1)
  })

  test('that rename what the other answers leave it one chat', async () => {
    const { here, there } = await two()
    const { answer } = here.ask('two')
    await there.chats.rename(idOf(there, 'one'), 'Ours')
    await answer('B')
    await vi.waitFor(() => expect(texts(there)).toEqual(['one', 'A', 'two', 'B']))
    expect([titles(here), titles(there)]).toEqual([['Ours'], ['Ours']])
  })

  test('tell an answer that another writes from one that was cut off', async () => {
    const { here, there } = await two()
    const { answer } = here.ask('two')
    await vi.waitFor(() => expect(there.chat.entries).toHaveLength(4))
    expect(there.chat.entries[3]).toMatchObject({
      phase: 'stop',
      notices: ['Another tab is writing this answer.'],
    })
    await answer('B')
    await vi.waitFor(() => expect(there.chat.entries[3]).toMatchObject({ text: 'B', notices: [] }))
  })

  test('see that the other was closed in mid-answer', async () => {
    const { shared, here, there } = await two()
    here.ask('two')
    await vi.waitFor(() => expect(there.chat.entries[3]).toMatchObject({ phase: 'stop' }))
    const [id, { end }] = [...shared.writing][0]!
    shared.writing.delete(id)
    end()
    await vi.waitFor(() => expect(there.chat.entries[3]).toMatchObject({ phase: 'interrupted', notices: [] }))
  })

  test('one that goes on with what the other has deleted keeps it as a chat of its own', async () => {
    const { here, there } = await two()
    const { answer } = here.ask('two')
    await vi.waitFor(() => expect(titles(there)).toEqual(['one']))
    await there.chats.removeAll()
    await answer('B')
    await vi.waitFor(() => expect(titles(there)).toEqual(['one']))
    expect(texts(here)).toEqual(['one', 'A', 'two', 'B'])
    expect(here.chats.notice?.text).toContain('changed or deleted')
  })
})

test('a chat that is gone is not shown, and the list forgets it', async () => {
  const shared = page()
  const here = await open(shared)
  await here.exchange('one', 'A')
  here.chats.startNew()
  const id = idOf(here, 'one')
  await shared.store.remove(id)
  await here.chats.open(id)
  expect([titles(here), here.chat.shown.entries]).toEqual([[], []])
  expect(here.chat.shown).toBeInstanceOf(Conversation)
})
