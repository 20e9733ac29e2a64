import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DiskSource } from '../../cli/disk-source'
import { openModel, type OpenedModel } from '../checkpoint-files'
import { f16ToF32 } from '../checkpoint/half'
import { parseSafetensorsHeader } from '../checkpoint/safetensors'
import type { CheckpointSource } from '../checkpoint/source'
import type { TemplateMessage } from '../template/definition'

/** Cases made with the original projects' own code, relative to the project. */
const ORIGINAL = new URL('../../../e2e/golden/original/', import.meta.url)

export interface OriginalTurn {
  readonly name: string
  readonly images: readonly string[]
  /** Questions and replies in turn, with the placeholders of their pictures. */
  readonly conversation: readonly string[]
  readonly prompt: string
  readonly input_ids: readonly number[]
  readonly sequence_length: number
  readonly generated_ids: readonly number[]
  readonly generated_text: string
  readonly tensors: Readonly<Record<string, string>>
}

/** A recorded case: a checkpoint, the repositories it refers to, and what to expect. */
export class OriginalCase {
  readonly folder: string
  readonly facts: {
    readonly conv_mode: string
    readonly base?: string
    readonly towers: Readonly<Record<string, string>>
    readonly max_new_tokens: number
    readonly turns: readonly OriginalTurn[]
  }
  private readonly bytes: Buffer
  private readonly entries

  constructor(readonly name: string) {
    this.folder = new URL(`${name}/`, ORIGINAL).pathname
    this.facts = JSON.parse(readFileSync(join(this.folder, 'expected.json'), 'utf8')) as OriginalCase['facts']
    this.bytes = readFileSync(join(this.folder, 'expected.safetensors'))
    const header = parseSafetensorsHeader(this.bytes, this.bytes.length, 'expected.safetensors')
    this.entries = new Map(header.tensors.map((tensor) => [tensor.name, tensor]))
  }

  get checkpoint(): CheckpointSource {
    return new DiskSource(join(this.folder, 'checkpoint'))
  }

  get base(): CheckpointSource | undefined {
    return this.facts.base === undefined ? undefined : new DiskSource(join(this.folder, this.facts.base))
  }

  resolve = (repo: string): CheckpointSource => {
    // By the name in the config, or by that of the repository it stands for.
    const folder =
      this.facts.towers[repo] ?? Object.values(this.facts.towers).find((path) => path === `towers/${repo}`)
    if (folder === undefined) throw new Error(`golden ${this.name}: refers to ${repo}`)
    return new DiskSource(join(this.folder, folder))
  }

  open(): Promise<OpenedModel> {
    return openModel(this.checkpoint, { resolve: this.resolve, base: this.base })
  }

  tensor(name: string): { shape: readonly number[]; data: Float32Array<ArrayBuffer> } {
    const entry = this.entries.get(name)
    if (entry?.dtype !== 'F32' && entry?.dtype !== 'F16') {
      throw new Error(`golden ${this.name}: no f32 or f16 tensor "${name}"`)
    }
    const bytes = this.bytes.subarray(entry.start, entry.end)
    if (entry.dtype === 'F16') {
      return { shape: entry.shape, data: f16ToF32(new Uint16Array(new Uint8Array(bytes).buffer)) }
    }
    return { shape: entry.shape, data: new Float32Array(new Uint8Array(bytes).buffer) }
  }

  imageBytes(file: string): Uint8Array<ArrayBuffer> {
    return new Uint8Array(readFileSync(join(this.folder, file)))
  }
}

/** A turn's conversation as templates take it. */
export function messagesOf({ conversation }: OriginalTurn): TemplateMessage[] {
  return conversation.map((said, i) => {
    const text = said.replace(/^(<image>\n)*/, '')
    const images = (said.length - text.length) / '<image>\n'.length
    return { role: i % 2 ? 'assistant' : 'user', text, images }
  })
}
