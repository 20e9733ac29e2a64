import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ImageError } from '../model/errors'
import type {
  AskEvent,
  AskRequest,
  ChatMessage,
  EngineApi,
  ImageInput,
  LocalModelInfo,
  Reply,
} from '../worker/api'
import { imagePlaces, type AskArgs } from './args'

/** One turn as `ask --json` reports it. */
export type TurnReport = Pick<
  Reply,
  | 'text'
  | 'tokenIds'
  | 'promptTokenIds'
  | 'promptTokens'
  | 'imageTokens'
  | 'prefillMs'
  | 'decodeMs'
  | 'tokensPerSecond'
>

/** The object `ask --json` writes; a contract. */
export interface AskReport {
  model: string
  adapter: string
  dtype: LocalModelInfo['dtype']
  turns: TurnReport[]
  /** Of the GPU: what the loaded model takes, and the most there was while it answered. */
  memory: { gpuBytes: number; gpuPeakBytes: number; peakHostBytes: number }
}

/** The object `ask --endpoint --json` writes: a server does not tell how it computes. */
export interface ServerReport {
  model: string
  server: string
  turns: TurnReport[]
}

/** The parts of a request that say what is asked, turn by turn. */
export type Conversation = Pick<AskRequest, 'messages' | 'raw'>

/**
 * Reads picture files as the engine takes them, known by a hash of their bytes.
 * Throws: ImageError for a file that cannot be read.
 */
export async function readImages(files: string[]): Promise<ImageInput[]> {
  return Promise.all(
    files.map(async (file) => {
      let bytes: Uint8Array<ArrayBuffer>
      try {
        bytes = new Uint8Array(await readFile(file))
      } catch (error) {
        throw new ImageError(`image: ${file} cannot be read (${(error as Error).message})`)
      }
      return { id: createHash('sha256').update(bytes).digest('hex'), blob: new Blob([bytes]) }
    }),
  )
}

/**
 * What to ask in a turn, given the replies so far. In a chat the first turn carries all images. A raw conversation
 * is one text: each turn's prompt follows the reply before it verbatim, and takes as many images as it has places.
 */
export function conversationAt(
  args: Pick<AskArgs, 'prompts' | 'raw'>,
  images: ImageInput[],
  replies: string[],
): Conversation {
  const prompts = args.prompts.slice(0, replies.length + 1)
  if (args.raw) {
    const prompt = prompts.map((text, turn) => text + (replies[turn] ?? '')).join('')
    const places = prompts.reduce((n, text) => n + imagePlaces(text), 0)
    return { messages: [], raw: { prompt, images: images.slice(0, places) } }
  }
  const messages = prompts.flatMap((text, turn): ChatMessage[] => {
    const user: ChatMessage = { role: 'user', text, ...(turn === 0 && images.length > 0 ? { images } : {}) }
    const reply = replies[turn]
    return reply === undefined ? [user] : [user, { role: 'assistant', text: reply }]
  })
  return { messages }
}

/** Asks every prompt in order. Stops early, with what there is, when a reply was aborted. */
export async function askAll(
  engine: Pick<EngineApi, 'ask'>,
  args: AskArgs,
  images: ImageInput[],
  onText: (text: string) => void,
  onReply: (reply: Reply) => void,
  onEvent: (event: AskEvent) => void = () => {},
): Promise<{ turns: TurnReport[]; aborted: boolean }> {
  const turns: TurnReport[] = []
  for (let turn = 0; turn < args.prompts.length; turn++) {
    const replies = turns.map((done) => done.text)
    const reply = await engine.ask(
      { ...conversationAt(args, images, replies), sampling: args.sampling, maxNewTokens: args.maxNewTokens },
      (event) => {
        onEvent(event)
        if (event.type === 'token') onText(event.text)
      },
    )
    onReply(reply)
    turns.push(turnOf(reply))
    if (reply.finish === 'aborted') return { turns, aborted: true }
  }
  return { turns, aborted: false }
}

function turnOf(reply: Reply): TurnReport {
  const { text, tokenIds, promptTokenIds, promptTokens, imageTokens, prefillMs, decodeMs, tokensPerSecond } =
    reply
  return { text, tokenIds, promptTokenIds, promptTokens, imageTokens, prefillMs, decodeMs, tokensPerSecond }
}
