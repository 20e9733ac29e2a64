import { DatasetError } from '../../errors'
import type { Sample, Utterance } from '../definition'

/** A row as it was read: a sample, or why there is none. */
export type ParsedRow = { readonly id: string; readonly image: string | undefined } & (
  | { readonly sample: Sample; readonly problem?: undefined }
  | { readonly sample?: undefined; readonly problem: string }
)

/** Names of a picture's path in objects and tables, the first found wins. */
export const IMAGE_NAMES: readonly string[] = ['image', 'file', 'file_name', 'filename', 'path']
/** Names of a caption. */
export const CAPTION_NAMES: readonly string[] = ['caption', 'text', 'title']

/** What the original projects' data says where a row has no picture. */
const NO_IMAGE = new Set(['', 'None', 'nan', 'NaN'])
const SPEAKERS: ReadonlyMap<string, Utterance['from']> = new Map([
  ['human', 'human'],
  ['user', 'human'],
  ['gpt', 'gpt'],
  ['assistant', 'gpt'],
  ['system', 'system'],
])
const MARK = '<image>'

type JsonRecord = Readonly<Record<string, unknown>>

/**
 * Reads a row of JSON: LLaVA's conversations, roles and contents as Hugging Face has them, or a picture and a caption.
 * `row`, counted from 0, is the id of a row that has none.
 */
export function parseJsonRow(text: string, row: number): ParsedRow {
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    return { id: String(row), image: undefined, problem: `is not JSON (${(error as Error).message})` }
  }
  if (!isRecord(value)) {
    return { id: String(row), image: undefined, problem: 'is not an object with an image and a conversation' }
  }
  const id = idOf(value.id, row)
  let image: string | undefined
  try {
    image = imageOf(value)
    return finishRow(id, image, conversationOf(value))
  } catch (error) {
    if (!(error instanceof DatasetError)) throw error
    return { id, image, problem: error.message }
  }
}

/** The row of a picture and its caption. */
export function captionRow(id: string, image: string | undefined, caption: string): ParsedRow {
  const path = image === undefined || NO_IMAGE.has(image.trim()) ? undefined : image
  if (caption.trim() === '') return { id, image: path, problem: 'has no caption' }
  if (path === undefined) return { id, image: undefined, problem: 'has no picture' }
  return finishRow(id, path, captioned(caption))
}

function captioned(caption: string): Utterance[] {
  return [
    { from: 'human', value: MARK },
    { from: 'gpt', value: caption.replaceAll(MARK, '') },
  ]
}

function finishRow(id: string, image: string | undefined, conversations: Utterance[]): ParsedRow {
  const problem = problemOf(image, conversations)
  return problem === undefined ? { id, image, sample: { id, image, conversations } } : { id, image, problem }
}

function problemOf(image: string | undefined, conversations: readonly Utterance[]): string | undefined {
  if (!conversations.some(({ from, value }) => from === 'gpt' && value.trim() !== '')) {
    return 'has no answer to learn from (nothing by gpt or assistant)'
  }
  const marks = conversations.reduce((sum, { value }) => sum + value.split(MARK).length - 1, 0)
  if (image === undefined) return marks > 0 ? `has no picture, though its text says ${MARK}` : undefined
  if (marks === 0) return `does not say where its picture stands: its text has no ${MARK}`
  return marks > 1 ? `says ${MARK} ${marks} times but has one picture` : undefined
}

/** Python writes a missing value of pandas as a bare NaN, which is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const plain = text.replace(/("(?:image|id)"\s*:\s*)NaN(?=\s*[,}])/g, '$1null')
    if (plain === text) throw error
    return JSON.parse(plain)
  }
}

function idOf(id: unknown, row: number): string {
  if (typeof id === 'number' || (typeof id === 'string' && id !== '')) return String(id)
  return String(row)
}

function imageOf(value: JsonRecord): string | undefined {
  const spoken = (value.conversations ?? value.messages) !== undefined
  const names = spoken ? ['image', 'images'] : ['images', ...IMAGE_NAMES]
  const name = names.find((key) => value[key] !== undefined && value[key] !== null)
  if (name === undefined) return undefined
  const found = value[name]
  if (!Array.isArray(found)) return pathOf(found)
  if (found.length > 1) throw new DatasetError(`has ${found.length} pictures; training takes one a row`)
  return found.length === 0 ? undefined : pathOf(found[0])
}

function pathOf(value: unknown): string | undefined {
  const path = isRecord(value) ? value.path : value
  if (path === null) return undefined
  if (typeof path !== 'string')
    throw new DatasetError("names its picture by something that is not a file's path")
  return NO_IMAGE.has(path.trim()) ? undefined : path
}

function conversationOf(value: JsonRecord): Utterance[] {
  const turns = value.conversations ?? value.messages
  if (turns !== undefined) {
    if (!Array.isArray(turns) || turns.length === 0) throw new DatasetError('has no list of conversations')
    return turns.map(utteranceOf)
  }
  const caption = CAPTION_NAMES.map((name) => value[name]).find((found) => found !== undefined)
  if (typeof caption === 'string') {
    if (caption.trim() === '') throw new DatasetError('has no caption')
    if (imageOf(value) === undefined) throw new DatasetError('has no picture')
    return captioned(caption)
  }
  const keys = Object.keys(value).slice(0, 8).join(', ')
  throw new DatasetError(`has neither conversations nor a caption (it has ${keys === '' ? 'nothing' : keys})`)
}

function utteranceOf(turn: unknown, index: number): Utterance {
  if (!isRecord(turn)) throw new DatasetError(`has a turn ${index + 1} that is not an object`)
  const speaker = turn.from ?? turn.role
  const from = typeof speaker === 'string' ? SPEAKERS.get(speaker.toLowerCase()) : undefined
  if (from === undefined) {
    throw new DatasetError(`has a turn by ${JSON.stringify(speaker) ?? 'nobody'}, expected human or gpt`)
  }
  const value = turn.value ?? turn.content
  if (typeof value !== 'string') throw new DatasetError(`has a turn ${index + 1} that is not text`)
  return { from, value }
}

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
