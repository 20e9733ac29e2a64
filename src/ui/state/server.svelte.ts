import { haveSameOrigin } from '../models/choice'
import { explain, type Problem } from '../text/explain'
import { en, type Messages } from '../text/messages/en'
import { surroundings } from './surroundings'

/** The models of the server that was chosen, and the key it wants. Nothing of it is remembered. */
export class ServerModels {
  /** Never stored, and given to the server it was typed for alone. */
  key = $state('')
  /** Of its models; empty where it does not list them. Undefined before it answered. */
  names = $state.raw<string[]>()
  problem = $state.raw<Problem>()
  isAsking = $state(false)

  /** Whose key it is. */
  #keyOf = ''
  #asking: AbortController | undefined
  #texts: () => Messages

  constructor(texts = () => en) {
    this.#texts = texts
  }

  /** The key for a server: none for another than it was given for. */
  keyFor(baseUrl: string): string {
    return this.#keyOf !== '' && haveSameOrigin(baseUrl, this.#keyOf) ? this.key.trim() : ''
  }

  setKey(baseUrl: string, key: string) {
    this.#keyOf = baseUrl
    this.key = key
  }

  /** Asks a server for its models; an answer overtaken by a later question is dropped. Returns: its only one, if so. */
  async ask(baseUrl: string): Promise<string | undefined> {
    this.setKey(baseUrl, this.keyFor(baseUrl))
    this.#asking?.abort()
    const asking = (this.#asking = new AbortController())
    this.names = undefined
    this.problem = undefined
    this.isAsking = true
    try {
      const [{ Server }, { listModels }] = await Promise.all([
        import('../../remote/server'),
        import('../../remote/list-models'),
      ])
      const listed = await listModels(new Server({ baseUrl, apiKey: this.keyFor(baseUrl) }), asking.signal)
      if (asking !== this.#asking) return undefined
      this.names = listed?.map(({ id }) => id) ?? []
      return this.names.length === 1 ? this.names[0] : undefined
    } catch (error) {
      if (asking === this.#asking) this.problem = explain(error, surroundings(), this.#texts())
      return undefined
    } finally {
      if (asking === this.#asking) this.isAsking = false
    }
  }
}
