import { sha256, sniffPicture } from '../chat/pictures'
import type { AnswerPhase, AnswerStats } from '../state/chat.svelte'
import { modelOf, soundTitle, titleOf, type ChatHead, type SavedEntry, type StoredChat } from './record'

/**
 * Chats as a JSON file, to be kept elsewhere and brought back:
 *
 *     { "format": "trilobite-chats", "version": 1,
 *       "chats": [{ "title", "isTitleGiven", "createdAt", "changedAt", "entries": [
 *         { "role": "user", "text", "pictures": [{ "id", "name" }] },
 *         { "role": "assistant", "text", "phase", "stats" }] }],
 *       "pictures": [{ "id", "type", "data" }] }
 *
 * Times are ISO 8601, a picture's id is the SHA-256 of its bytes, its data base64. Field by field: nothing else that the
 * page knows gets into a file, such as an address that a failed answer speaks of.
 */
export const FORMAT = 'trilobite-chats'
export const VERSION = 1

/** Of one file. Units: bytes. Longer ones no browser reads as one text. */
const MAX_BYTES = 400e6
/** Of pictures in one file; what is exported lies in several where there are more. Base64 makes four of three. */
const PICTURE_BYTES = 150e6

// What a file may hold, each far beyond what anyone writes.
const MAX_DEPTH = 16
const MAX_VALUES = 5e6
const MAX_CHATS = 20_000
const MAX_ENTRIES = 20_000
const MAX_PICTURES_OF_QUESTION = 1000
const MAX_TEXT = 2e6

// ---- Writing ----

/** One file of chats. */
export async function writeArchive(chats: readonly StoredChat[]): Promise<Blob> {
  const pictures = new Map(chats.flatMap((chat) => [...chat.pictures]))
  const parts: BlobPart[] = [
    `{"format":"${FORMAT}","version":${VERSION},\n"chats":${JSON.stringify(chats.map(exported), null, 1)},\n"pictures":[`,
  ]
  let separator = '\n'
  for (const [id, blob] of pictures) {
    const data = toBase64(new Uint8Array(await blob.arrayBuffer()))
    parts.push(
      `${separator}{"id":${JSON.stringify(id)},"type":${JSON.stringify(blob.type)},"data":"`,
      data,
      '"}',
    )
    separator = ',\n'
  }
  parts.push(']}\n')
  return new Blob(parts, { type: 'application/json' })
}

/** Items in as many groups as they need files, given the pictures of each and their sizes. */
export function grouped<Item>(
  items: readonly Item[],
  picturesOf: (item: Item) => readonly string[],
  bytesOf: (picture: string) => number,
  most = PICTURE_BYTES,
): Item[][] {
  const groups: { items: Item[]; pictures: Set<string>; bytes: number }[] = []
  for (const item of items) {
    let group = groups.at(-1)
    const added = picturesOf(item).filter((id) => !group?.pictures.has(id))
    const bytes = added.reduce((sum, id) => sum + bytesOf(id), 0)
    if (!group || (group.bytes > 0 && group.bytes + bytes > most))
      groups.push((group = { items: [], pictures: new Set(), bytes: 0 }))
    group.items.push(item)
    for (const id of picturesOf(item)) {
      if (!group.pictures.has(id)) group.bytes += bytesOf(id)
      group.pictures.add(id)
    }
  }
  return groups.map(({ items }) => items)
}

function exported({ head: { title, isTitleGiven, createdAt, changedAt }, entries }: StoredChat) {
  return {
    title,
    isTitleGiven,
    createdAt: new Date(createdAt).toISOString(),
    changedAt: new Date(changedAt).toISOString(),
    entries: entries.map((entry) => {
      const { role, text } = entry
      if (entry.role === 'user')
        return { role, text, pictures: entry.pictures.map(({ id, name }) => ({ id, name })) }
      return { role, text, phase: entry.phase, ...(entry.stats && { stats: soundStats(entry.stats) }) }
    }),
  }
}

// ---- Reading ----

/** Why a file is no archive; `where` says which of its values. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  constructor(
    readonly reason: 'tooLarge' | 'notJson' | 'otherFormat' | 'newer' | 'damaged',
    readonly where = '',
  ) {
    super(`archive: ${reason} ${where}`)
  }
}

export interface ReadArchive {
  chats: StoredChat[]
  /** Pictures that were left out, being none or not there. */
  picturesLeftOut: number
}

/**
 * Reads what `writeArchive` writes. Whoever made the file, nothing of it becomes more than text and pictures: chats and
 * entries get new ids, pictures the ids of their bytes, and every field is read by its name and type.
 *
 * Throws: ArchiveError.
 */
export async function readArchive(file: Blob): Promise<ReadArchive> {
  if (file.size > MAX_BYTES) throw new ArchiveError('tooLarge')
  await checkShape(file)
  let json: unknown
  try {
    json = JSON.parse(await file.text())
  } catch {
    throw new ArchiveError('notJson')
  }
  const root = new Reader(json, '')
  if (root.get('format').value !== FORMAT) throw new ArchiveError('otherFormat')
  const version = root.get('version').number()
  if (version > VERSION) throw new ArchiveError('newer')

  const given = await readPictures(root.get('pictures').list(MAX_VALUES))
  let picturesLeftOut = 0
  const chats = root
    .get('chats')
    .list(MAX_CHATS)
    .map((chat) => {
      const pictures = new Map<string, Blob>()
      const entries = chat
        .get('entries')
        .list(MAX_ENTRIES)
        .map((entry) =>
          readEntry(entry, (id) => {
            const picture = given.get(id)
            if (picture) pictures.set(picture.id, picture.blob)
            else picturesLeftOut++
            return picture?.id
          }),
        )
      return { head: readHead(chat, entries, [...pictures.keys()]), entries, pictures }
    })
  return { chats: chats.filter(({ entries }) => entries.length), picturesLeftOut }
}

function readHead(chat: Reader, entries: SavedEntry[], pictures: string[]): ChatHead {
  const title = soundTitle(chat.get('title').text())
  return {
    id: crypto.randomUUID(),
    title: title || titleOf(entries),
    isTitleGiven: title !== '' && chat.get('isTitleGiven').value === true,
    model: modelOf(entries) ?? '',
    createdAt: chat.get('createdAt').time(),
    changedAt: chat.get('changedAt').time(),
    revision: 1,
    pictures,
  }
}

function readEntry(entry: Reader, pictureOf: (id: string) => string | undefined): SavedEntry {
  const id = crypto.randomUUID()
  const role = entry.get('role').value
  const text = entry.get('text').text()
  if (role === 'user') {
    const pictures = entry
      .get('pictures')
      .list(MAX_PICTURES_OF_QUESTION)
      .flatMap((picture) => {
        const name = soundTitle(picture.get('name').text())
        const id = pictureOf(picture.get('id').text())
        return id ? { id, name } : []
      })
    // The same picture twice is one picture.
    const once = new Map(pictures.map((picture) => [picture.id, picture]))
    return { role, id, text, pictures: [...once.values()] }
  }
  if (role !== 'assistant') throw entry.get('role').damaged()
  const phase = entry.get('phase').value
  const stats = entry.get('stats')
  return {
    role,
    id,
    text,
    phase: PHASES.find((known) => known === phase) ?? 'interrupted',
    stats: stats.value === undefined ? undefined : readStats(stats),
  }
}

const PHASES = [
  'stop',
  'length',
  'context',
  'aborted',
  'failed',
  'lost',
  'interrupted',
] as const satisfies readonly AnswerPhase[]

/** Those of an answer's numbers that are known; what an older version of the page did not keep is 0. */
function soundStats({ model, sampling, ...stats }: Partial<AnswerStats>): AnswerStats {
  return {
    model: model ?? '',
    ...pick(stats, NUMBERS),
    sampling: pick(sampling ?? {}, SAMPLING),
  }
}

const NUMBERS = [
  'tokens',
  'promptTokens',
  'imageTokens',
  'reusedTokens',
  'firstTokenMs',
  'tokensPerSecond',
] as const
const SAMPLING = ['temperature', 'topP', 'topK', 'repetitionPenalty', 'seed'] as const

const pick = <Name extends string>(from: Partial<Record<Name, number>>, names: readonly Name[]) =>
  Object.fromEntries(names.map((name) => [name, Number.isFinite(from[name]) ? from[name] : 0])) as Record<
    Name,
    number
  >

function readStats(stats: Reader): AnswerStats {
  const numbers = <Name extends string>(from: Reader, names: readonly Name[]) =>
    Object.fromEntries(names.map((name) => [name, from.get(name).number()])) as Record<Name, number>
  return {
    model: soundTitle(stats.get('model').text()),
    ...numbers(stats, NUMBERS),
    sampling: numbers(stats.get('sampling'), SAMPLING),
  }
}

/** Pictures by the ids of the file. Those that are none, by their bytes, are left out. */
async function readPictures(list: readonly Reader[]): Promise<Map<string, { id: string; blob: Blob }>> {
  const pictures = new Map<string, { id: string; blob: Blob }>()
  for (const picture of list) {
    const bytes = fromBase64(picture.get('data').string())
    const type = bytes && sniffPicture(bytes)
    if (!type) continue
    pictures.set(picture.get('id').text(), { id: await sha256(bytes), blob: new Blob([bytes], { type }) })
  }
  return pictures
}

/** A value of a file, with the way to it. */
class Reader {
  constructor(
    readonly value: unknown,
    readonly where: string,
  ) {}

  damaged(): ArchiveError {
    return new ArchiveError('damaged', this.where)
  }

  /** A field of its own: never one that it inherits. */
  get(name: string): Reader {
    const { value } = this
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.damaged()
    const where = this.where ? `${this.where}.${name}` : name
    return new Reader(
      Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined,
      where,
    )
  }

  list(most: number): Reader[] {
    const { value } = this
    if (!Array.isArray(value) || value.length > most) throw this.damaged()
    return value.map((item, i) => new Reader(item, `${this.where}[${i}]`))
  }

  string(): string {
    if (typeof this.value !== 'string') throw this.damaged()
    return this.value
  }

  text(): string {
    const text = this.string()
    if (text.length > MAX_TEXT) throw this.damaged()
    return text
  }

  number(): number {
    const { value } = this
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.damaged()
    return value
  }

  /** Units: milliseconds since 1970. */
  time(): number {
    const time = Date.parse(this.text())
    if (!Number.isFinite(time)) throw this.damaged()
    return Math.min(time, Date.now())
  }
}

/**
 * Refuses what a parser would choke on, in one pass over the bytes and a piece at a time: lists within lists without end,
 * and values without end.
 *
 * Throws: ArchiveError.
 */
async function checkShape(file: Blob) {
  const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
  let depth = 0
  let values = 0
  let isText = false
  let isEscaped = false
  for await (const piece of piecesOf(file)) {
    for (const byte of piece) {
      if (isText) {
        if (isEscaped) isEscaped = false
        else if (byte === BACKSLASH) isEscaped = true
        else if (byte === QUOTE) isText = false
      } else if (byte === QUOTE) isText = true
      else if (byte === COMMA) values++
      // [ and {, ] and } differ from one another in this bit alone.
      else if ((byte | 0x20) === 0x7b) {
        depth++
        values++
      } else if ((byte | 0x20) === 0x7d) depth--
    }
    if (values > MAX_VALUES || depth > MAX_DEPTH) throw new ArchiveError('damaged')
  }
}

async function* piecesOf(file: Blob): AsyncGenerator<Uint8Array> {
  const PIECE = 2 ** 20
  for (let at = 0; at < file.size; at += PIECE)
    yield new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer())
}

// ---- Base64 ----

/** Bytes whose base64 has no padding, so that pieces can be put one behind another; few enough for a call's arguments. */
const PIECE = 3 * 2 ** 13

function toBase64(bytes: Uint8Array): string {
  const pieces: string[] = []
  for (let at = 0; at < bytes.length; at += PIECE)
    pieces.push(btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE))))
  return pieces.join('')
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const characters = atob(text)
    const bytes = new Uint8Array(characters.length)
    for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i)
    return bytes
  } catch {
    return undefined
  }
}
