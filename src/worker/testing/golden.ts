import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSafetensorsHeader } from '../../model/checkpoint/safetensors'
import type { ChatMessage, ImageInput } from '../api'

/** Folder of the golden cases, relative to the project. */
export const GOLDEN = new URL('../../../e2e/golden/', import.meta.url)

interface Recorded {
  readonly shape: readonly number[]
  readonly data: Float32Array<ArrayBuffer>
}

/** One turn of a chat case, as expected.json records it. */
export interface GoldenTurn {
  readonly name: string
  readonly images: readonly string[]
  readonly messages: readonly {
    role: 'user' | 'assistant' | 'system'
    content: readonly { type: string; path?: string; text?: string }[]
  }[]
  readonly prompt: string
  readonly input_ids: readonly number[]
  readonly generated_ids: readonly number[]
  readonly generated_text: string
  readonly image_token_count: number
  readonly rows_from: number
  readonly margins: readonly number[]
  readonly tensors: Readonly<Record<string, string>>
}

/** One prompt of a case without pictures and chat template. */
export interface GoldenPrompt {
  readonly text: string
  /** The ids count, not the text. */
  readonly text_is_truncated?: boolean
  readonly input_ids: readonly number[]
  readonly generated_ids: readonly number[]
  readonly generated_text: string
  readonly finish: 'stop' | 'length'
  readonly tensors: Readonly<Record<string, string>>
}

/** A recorded case: its facts, and its tensors by name. */
export class GoldenCase {
  readonly folder: string
  readonly facts: {
    readonly turns: readonly GoldenTurn[]
    readonly prompts: readonly GoldenPrompt[]
    readonly pictures: readonly { image: string; tensors: Readonly<Record<string, string>> }[]
    readonly max_new_tokens: number
    readonly tokenizer_probes: readonly { text: string; input_ids: number[]; decoded: string }[]
  }
  private readonly bytes: Buffer
  private readonly entries

  constructor(readonly name: string) {
    this.folder = new URL(`${name}/`, GOLDEN).pathname
    this.facts = JSON.parse(readFileSync(join(this.folder, 'expected.json'), 'utf8')) as GoldenCase['facts']
    this.bytes = readFileSync(join(this.folder, 'expected.safetensors'))
    const header = parseSafetensorsHeader(this.bytes, this.bytes.length, 'expected.safetensors')
    this.entries = new Map(header.tensors.map((tensor) => [tensor.name, tensor]))
  }

  get checkpoint(): string {
    return join(this.folder, 'checkpoint')
  }

  tensor(name: string): Recorded {
    const entry = this.entries.get(name)
    if (!entry) throw new Error(`golden ${this.name}: no tensor "${name}"`)
    if (entry.dtype !== 'F32') throw new Error(`golden ${this.name}: "${name}" is ${entry.dtype}`)
    const bytes = this.bytes.subarray(entry.start, entry.end)
    return { shape: entry.shape, data: new Float32Array(new Uint8Array(bytes).buffer) }
  }

  /** A turn's conversation in the engine's form. */
  messages(turn: GoldenTurn): ChatMessage[] {
    return turn.messages.map(({ role, content }) => ({
      role,
      text: content.flatMap(({ text }) => text ?? []).join(''),
      images: content.flatMap(({ path }) => (path === undefined ? [] : this.image(path))),
    }))
  }

  image(path: string): ImageInput {
    return { id: path, blob: new Blob([readFileSync(join(this.folder, path))]) }
  }

  imageBytes(path: string): Uint8Array {
    return new Uint8Array(readFileSync(join(this.folder, path)))
  }
}
