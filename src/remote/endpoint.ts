import type { AskEvent, AskRequest, EndpointLocation, FinishReason, ModelInfo, Reply } from '../worker/api'
import { chatBody, refusedFields, saysContextIsFull, type ChatBody, type OptionalField } from './chat-request'
import { pieceOf, readPieces, type Piece, type Usage } from './chat-stream'
import { contractError, EndpointError } from './errors'
import { listModels } from './list-models'
import { pictureUrl } from './picture'
import { PATIENCE, pause, Server, StatusError, stopped, within, type Patience } from './server'
import { readText } from './server-message'

/** How often a server that is busy is asked again. */
const MAX_RETRIES = 3
/** A server that asks for more patience than this is not waited for. */
const LONGEST_WAIT_MS = 30_000
/** What is waited for behind an answer's end: its counts of tokens. */
const AFTERMATH_MS = 5000
/** Characters of an answer for each token that it may have: no tokenizer's are longer on average. */
const CHARACTERS_A_TOKEN = 64

/** An answer as far as it has come. */
interface Progress {
  text: string
  pieces: number
  finish?: FinishReason
  usage: Usage
  firstAt?: number
}

/** A model on a server, behind the calls of the contract that a server can give. One answer at a time. */
export class EndpointModel {
  /** Of the running answer and those that wait. */
  readonly #answering = new Set<AbortController>()
  #turn: Promise<unknown> = Promise.resolve()
  /** What the server would not take. */
  readonly #refused = new Set<OptionalField>()
  /** Pictures of the last question as they are sent, by their ids. */
  #pictures = new Map<string, Promise<string>>()

  private constructor(
    private readonly server: Server,
    readonly info: ModelInfo,
    private readonly patience: Patience,
  ) {}

  /**
   * Finds the model on its server. Nothing that was asked is sent yet.
   *
   * Throws: EndpointError; AbortError when the signal aborts.
   */
  static async open(
    location: EndpointLocation,
    signal: AbortSignal,
    patience: Patience = PATIENCE,
  ): Promise<EndpointModel> {
    const started = performance.now()
    const server = new Server(location)
    const { host } = server
    let trouble = ''
    const listed = await listModels(server, signal, patience).catch((error: unknown) => {
      // The list may be out of order alone. Without a key nothing else will be answered either.
      if (!location.model?.trim() || !(error instanceof StatusError) || error.status === 401) throw error
      trouble = `${host} did not list its models (${error.status}${error.said && `: ${error.said}`}).`
      return undefined
    })
    const names = listed?.map(({ id }) => id) ?? []
    const model = location.model?.trim() || (names.length === 1 ? names[0] : undefined)
    if (!model) {
      throw new EndpointError(
        'unnamed',
        names.length
          ? `expected the name of one of the models of ${host}, got none. It has: ${server.quote(names.join(', '))}`
          : `expected the name of a model, because ${host} lists none; name it as the server does.`,
      )
    }
    const contextLength = listed?.find(({ id }) => id === model)?.contextLength
    const info: ModelInfo = {
      model,
      server: host,
      ...(contextLength !== undefined && { contextLength }),
      acceptsImages: true,
      towers: [],
      gpuBytes: 0,
      peakHostBytes: 0,
      loadMs: performance.now() - started,
      files: [],
      notes: trouble
        ? [trouble]
        : names.length && !names.includes(model)
          ? [`${host} does not list ${model}. The first question tells whether it is there.`]
          : [],
    }
    return new EndpointModel(server, info, patience)
  }

  /** As EngineApi.ask. Throws: EndpointError, ContextOverflowError, ImageError, ConfigError. */
  ask(request: AskRequest, onEvent: (event: AskEvent) => void): Promise<Reply> {
    const controller = new AbortController()
    this.#answering.add(controller)
    const answer = this.#turn
      .then(() => this.#answer(request, onEvent, controller.signal))
      .finally(() => this.#answering.delete(controller))
    this.#turn = answer.catch(() => {})
    return answer
  }

  /** Ends the running answer and those that wait, and closes the connection. */
  abort(): void {
    for (const controller of this.#answering) controller.abort(stopped())
  }

  async #answer(
    request: AskRequest,
    onEvent: (event: AskEvent) => void,
    signal: AbortSignal,
  ): Promise<Reply> {
    const started = performance.now()
    const progress: Progress = { text: '', pieces: 0, usage: {} }
    try {
      if (!signal.aborted) await this.#run(request, onEvent, signal, progress)
    } catch (error) {
      if (!signal.aborted) throw error
    }
    const ended = performance.now()
    const { text, usage, pieces, firstAt = ended, finish = 'stop' } = progress
    const decodeMs = ended - firstAt
    const { generatedTokens = 0 } = usage
    return {
      text,
      finish: signal.aborted ? 'aborted' : finish,
      ...usage,
      prefillMs: firstAt - started,
      decodeMs,
      // The first token belongs to the prompt's time. An answer that came in one piece tells nothing of its pace.
      tokensPerSecond: pieces > 1 && generatedTokens > 1 ? ((generatedTokens - 1) / decodeMs) * 1000 : 0,
    }
  }

  async #run(
    request: AskRequest,
    onEvent: (event: AskEvent) => void,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<void> {
    const { server, patience } = this
    const { host } = server
    const notice = (message: string) => onEvent({ type: 'notice', message })
    if (request.raw)
      throw contractError(
        'ConfigError',
        `raw: expected messages, got a prompt, to which ${host} applies its template.`,
      )
    if (request.profile) notice(`There is no profile: ${host} does not tell what its kernels take.`)
    const urls = await this.#urlsOf(request, notice)
    signal.throwIfAborted()

    const connection = new Connection(signal)
    connection.expect(patience.firstMs)
    try {
      const response = await this.#request(request, (id) => urls.get(id)!, connection, notice)
      const limit = request.maxNewTokens * CHARACTERS_A_TOKEN
      for await (const piece of this.#piecesOf(response, connection)) {
        take(piece, progress, onEvent)
        if (piece.isEnd) progress.finish ??= 'stop'
        if (progress.finish && piece.usage) return
        if (piece.isEnd) return
        if (progress.text.length > limit) {
          notice(`${host} said more than was asked for. Its answer was ended here.`)
          progress.finish = 'length'
          return
        }
        connection.expect(
          progress.finish ? AFTERMATH_MS : progress.firstAt ? patience.stallMs : patience.firstMs,
        )
      }
      if (!progress.finish) throw broken(host)
    } catch (error) {
      // What comes behind the end, or does not, changes nothing of the answer.
      if (progress.finish) return
      signal.throwIfAborted()
      if (!connection.isLate) throw error
      const ms = progress.firstAt ? patience.stallMs : patience.firstMs
      throw new EndpointError(
        'stalled',
        `expected ${host} to go on, got nothing for ${ms / 1000} s. Ask again; the server may be busy or stuck.`,
      )
    } finally {
      connection.close()
    }
  }

  /** Asks, without what the server refuses, and again where it is busy: both before anything of an answer has come. */
  async #request(
    request: AskRequest,
    urlOf: (id: string) => string,
    connection: Connection,
    notice: (message: string) => void,
  ): Promise<Response> {
    const { server, info } = this
    for (let retry = 0; ;) {
      const body = chatBody(info.model, request, urlOf, this.#refused)
      try {
        const response = await server.request('/chat/completions', connection.signal, body)
        const missing = leftOut(chatBody(info.model, request, urlOf, new Set()), body)
        if (missing.length)
          notice(`${server.host} does not take ${missing.join(', ')}. The answer was made without.`)
        return response
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
        const { trouble, said } = error
        if (trouble === 'refused') {
          if (saysContextIsFull(said))
            throw contractError('ContextOverflowError', `context: ${server.host} said: ${said}`)
          const fields = refusedFields(said, body)
          if (!fields.length) throw error
          for (const name of fields) this.#refused.add(name)
          continue
        }
        const waitMs = Math.max(this.patience.retryMs * 2 ** retry, error.retryAfterMs ?? 0)
        if (trouble !== 'busy' || retry === MAX_RETRIES || waitMs > LONGEST_WAIT_MS) throw error
        await pause(waitMs, connection.signal)
        retry++
      }
    }
  }

  async *#piecesOf(response: Response, connection: Connection): AsyncGenerator<Piece, void> {
    const { server } = this
    // Of one that does not stream, or of something else that answers there.
    if (/\b(?:json|html)\b/.test(response.headers.get('Content-Type') ?? '')) {
      const whole = pieceOf(await within(readText(response), connection.signal), server)
      if (whole.text === undefined && !whole.finish) {
        throw new EndpointError(
          'malformed',
          `expected ${server.host} to answer, got JSON without an answer. Check the address: it mostly ends in /v1.`,
        )
      }
      yield { finish: 'stop', ...whole }
      return
    }
    const reader = response.body?.getReader()
    const decoder = new TextDecoder()
    const read = async () => {
      try {
        const { done, value } = (await (reader && within(reader.read(), connection.signal))) ?? { done: true }
        return done ? undefined : decoder.decode(value, { stream: true })
      } catch (error) {
        throw connection.signal.aborted ? error : broken(server.host)
      }
    }
    yield* readPieces(read, server)
  }

  /** Pictures as they are sent; those of earlier turns are not made again. */
  async #urlsOf({ messages }: AskRequest, notice: (message: string) => void): Promise<Map<string, string>> {
    const images = messages.flatMap(({ images = [] }) => images)
    const before = this.#pictures
    this.#pictures = new Map(
      images.map((image, i) => [image.id, before.get(image.id) ?? pictureUrl(image, i + 1, notice)]),
    )
    return new Map(
      await Promise.all(
        [...this.#pictures].map(async ([id, url]): Promise<[string, string]> => [id, await url]),
      ),
    )
  }
}

/** A connection that ends when it is stopped, or when what is expected does not come in time. */
class Connection {
  readonly #end = new AbortController()
  readonly signal: AbortSignal
  #timer: ReturnType<typeof setTimeout> | undefined
  isLate = false

  constructor(stop: AbortSignal) {
    this.signal = AbortSignal.any([stop, this.#end.signal])
  }

  /** Waits so long for what comes next. */
  expect(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.isLate = true
      this.#end.abort(stopped())
    }, ms)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#end.abort(stopped())
  }
}

function take({ text, finish, usage }: Piece, progress: Progress, onEvent: (event: AskEvent) => void): void {
  if (text) {
    progress.firstAt ??= performance.now()
    progress.text += text
    onEvent({ type: 'token', text, index: progress.pieces++ })
  }
  if (finish) progress.finish = finish
  if (usage) progress.usage = usage
}

/** Settings that change an answer and that a request lacks. */
function leftOut(whole: ChatBody, sent: ChatBody): string[] {
  return Object.keys(whole).filter(
    (name) =>
      !(name in sent) &&
      name !== 'stream_options' &&
      !(name === 'max_tokens' && 'max_completion_tokens' in sent),
  )
}

const broken = (host: string) =>
  new EndpointError('broken', `expected ${host} to finish its answer, but the connection ended. Ask again.`)
