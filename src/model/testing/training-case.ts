import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DiskSource } from '../../cli/disk-source'
import { openModel, type OpenedModel } from '../checkpoint-files'
import { f16ToF32 } from '../checkpoint/half'
import { parseSafetensorsHeader, type TensorEntry } from '../checkpoint/safetensors'
import type { CheckpointSource } from '../checkpoint/source'
import type { Utterance } from '../train/definition'

/** Golden cases, relative to the project. */
const GOLDEN = new URL('../../../e2e/golden/', import.meta.url)

export interface RecordedTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array<ArrayBuffer>
}

/** AdamW with two moments and decoupled decay, as PyTorch has it. */
export interface RecordedOptimizer {
  readonly betas: readonly [number, number]
  readonly eps: number
  readonly weight_decay: number
}

/** One sample of a transformers case, unpadded. */
export interface HfTrainingSample {
  readonly id: string
  /** File beside expected.json. */
  readonly image: string
  readonly caption: string
  /** One image token for each feature of the picture. */
  readonly input_ids: readonly number[]
  /** Equally long; -100 where nothing is learned. The caption and EOS are. */
  readonly labels: readonly number[]
}

export interface HfTrainingFacts {
  readonly recipe: {
    readonly template: string
    readonly optimizer: RecordedOptimizer & { readonly lr: number }
    readonly schedule: {
      readonly name: string
      readonly steps: number
      readonly warmup_steps: number
      readonly warmup_ratio: number
    }
    readonly micro_batch: number
    readonly accumulate: number
    readonly max_grad_norm: number
  }
  readonly pad_token_id: number
  readonly eos_token_id: number
  readonly samples: readonly HfTrainingSample[]
  /** Step, micro-batch, sample indices: the order of the data. */
  readonly micro_batches: readonly (readonly (readonly number[])[])[]
  /** `lr` is the rate that step used, 0 in the first; `grad_norm` is that before clipping. */
  readonly steps: readonly {
    readonly loss: number
    readonly micro_losses: readonly number[]
    readonly lr: number
    readonly grad_norm: number
  }[]
  /** Of each sample alone. */
  readonly caption_losses_before: readonly number[]
  readonly caption_losses_after: readonly number[]
}

/** Steps whose parameters are recorded. */
export type RecordedStep = 2 | 5 | 20

/** Stage 1 of a LLaVA in transformers: 20 steps of two micro-batches of two. Only the projector learns. */
export class HfTrainingCase {
  readonly folder: string
  readonly facts: HfTrainingFacts
  private readonly recorded: SafetensorsFile
  private stored: readonly SafetensorsFile[] | undefined

  constructor(readonly name: 'train-clip-llama' | 'train-siglip-qwen2') {
    this.folder = new URL(`${name}/`, GOLDEN).pathname
    this.facts = readFacts(this.folder)
    this.recorded = new SafetensorsFile(join(this.folder, 'expected.safetensors'))
  }

  get checkpoint(): CheckpointSource {
    return new DiskSource(join(this.folder, 'checkpoint'))
  }

  open(): Promise<OpenedModel> {
    return openModel(this.checkpoint)
  }

  /** The samples in LLaVA's format, with human texts that the plain template drops. */
  get dataFile(): string {
    return join(this.folder, 'data.json')
  }

  /** Trained parameters by their names in the checkpoint. */
  get parameters(): string[] {
    return this.recorded.namesAfter('after20.')
  }

  /**
   * A recorded tensor in float32.
   *
   * - `step0.grad.PARAMETER`: after both micro-batches of the first step, before clipping
   * - `after2.PARAMETER`, `after5.…`, `after20.…`: weights after so many steps
   * - `pixel_values`: [samples, 3, H, W], every bit as the reference's image processor made them
   */
  tensor(name: string): RecordedTensor {
    return name === 'pixel_values' ? this.pixelValues() : this.recorded.tensor(name)
  }

  /** Weights after `steps`; 0 are those of the checkpoint, which the first step, at rate 0, leaves as they are. */
  parameter(name: string, steps: 0 | 1 | RecordedStep): RecordedTensor {
    if (steps > 1) return this.tensor(`after${steps}.${name}`)
    this.stored ??= storedWeights(this.folder)
    return storedTensor(this.stored, name)
  }

  gradient(name: string): RecordedTensor {
    return this.tensor(`step0.grad.${name}`)
  }

  imageBytes(file: string): Uint8Array<ArrayBuffer> {
    return new Uint8Array(readFileSync(join(this.folder, file)))
  }

  /** Stored as the bytes they were made of; the reference normalises in float32, as fround does. */
  private pixelValues(): RecordedTensor {
    const { shape, data } = this.recorded.tensor('pixels')
    const [, channels = 3, height = 0, width = 0] = shape
    const config = JSON.parse(
      readFileSync(join(this.folder, 'checkpoint', 'preprocessor_config.json'), 'utf8'),
    ) as { image_mean: number[]; image_std: number[] }
    const scaled = (values: number[]) => values.map((value) => Math.fround(Math.fround(value) * 255))
    const [mean, std] = [scaled(config.image_mean), scaled(config.image_std)]
    const values = data.map((byte, i) => {
      const channel = Math.floor(i / (height * width)) % channels
      return Math.fround(byte - mean[channel]!) / std[channel]!
    })
    return { shape, data: values }
  }
}

/** One sample of the Cambrian case. */
export interface CambrianTrainingSample {
  /** [width, height] of the picture; null for text alone, which has no part in the connector. */
  readonly image_size: readonly [number, number] | null
  /** The kept rows and columns of the 6 x 6 grid, once the letterbox is gone; absent for text alone. */
  readonly final_size?: readonly [number, number]
  readonly conversations: readonly Utterance[]
  /** With -200 in the picture's place. */
  readonly input_ids: readonly number[]
  readonly labels: readonly number[]
  /** Over its learned tokens, before the first step. */
  readonly loss_sum: number
  readonly target_tokens: number
  /** Positions of the language model once the picture is spliced in, its newlines included. */
  readonly sequence_length: number
}

export interface CambrianTrainingFacts {
  readonly tower_widths: readonly number[]
  readonly template: string
  readonly pad_token_id: number
  /** Names of everything that learns: connector, samplers, vision_query and image_newline. */
  readonly trainable: readonly string[]
  readonly optimizer: RecordedOptimizer & {
    readonly learning_rate: number
    /** Rate of names with `vision_sampler` or `vision_query` in them. */
    readonly mm_vision_sampler_lr: number
    readonly warmup_ratio: number
    readonly warmup_steps: number
    readonly steps: number
    readonly max_grad_norm: number
  }
  /** All of them are the one batch of every step. */
  readonly samples: readonly CambrianTrainingSample[]
  readonly total_target_tokens: number
  /** Mean over all learned tokens of the batch. Element i of this and the next three belongs to step i + 1. */
  readonly loss: readonly number[]
  /** The rates that step used; the first is 0. */
  readonly lr: readonly number[]
  readonly sampler_lr: readonly number[]
  /** Over all parameters, before clipping. */
  readonly grad_norm: readonly number[]
  /** Once all 20 steps are done. */
  readonly loss_after: number
  /** Largest absolute value by parameter. */
  readonly gradient_max_abs: Readonly<Record<string, number>>
  readonly max_change_after_20: Readonly<Record<string, number>>
}

/**
 * Stage 1 of a Cambrian-1 in its authors' own code: 20 steps on one fixed batch, from recorded tower features. There are
 * neither towers nor pictures.
 */
export class CambrianTrainingCase {
  readonly name = 'cambrian-train'
  readonly folder = new URL(`original/${this.name}/`, GOLDEN).pathname
  readonly facts: CambrianTrainingFacts = readFacts(this.folder)
  private readonly recorded = new SafetensorsFile(join(this.folder, 'expected.safetensors'))
  private readonly stored = storedWeights(this.folder)

  /** Trained parameters are float32 in it, the frozen language model is float16. */
  get checkpoint(): CheckpointSource {
    return new DiskSource(join(this.folder, 'checkpoint'))
  }

  /**
   * What tower `tower` of `mm_vision_tower_aux_list` made of the pictures: [3, 36, 32], [3, 36, 28], [3, 36, 36] and
   * [3, 144, 30], samples x rows and columns of the square, padded picture x width. The rows of the sample without a
   * picture are arbitrary and change nothing.
   */
  features(tower: number): RecordedTensor {
    return this.recorded.tensor(`input.features.${tower}`)
  }

  /** Of the first step, before clipping. */
  gradient(name: string): RecordedTensor {
    return this.recorded.tensor(`grad.${name}`)
  }

  /**
   * Weights after `steps`, with these errors beside the 2.6e-6 of the recording itself:
   *
   * - 0 and 1: the checkpoint's, exact; the first step's rate is 0
   * - 2: from the recorded gradient, which the first two steps share, by what Adam then comes to; within 6e-8
   * - 5: their change is kept in float16; within 1e-6
   * - 20: as recorded
   */
  parameter(name: string, steps: 0 | 1 | RecordedStep): RecordedTensor {
    if (steps === 20) return this.recorded.tensor(`after20.${name}`)
    const start = storedTensor(this.stored, name)
    if (steps < 2) return start
    const change = steps === 5 ? this.recorded.tensor(`change5.${name}`).data : this.secondChange(name)
    return { shape: start.shape, data: start.data.map((value, i) => value + change[i]!) }
  }

  /** With the same gradient g twice, the corrected moments are g and g squared: a change of rate g / (|g| + epsilon). */
  private secondChange(name: string): Float32Array<ArrayBuffer> {
    const { optimizer, lr, sampler_lr: samplerLr, grad_norm: norms } = this.facts
    const clip = Math.min(1, optimizer.max_grad_norm / (norms[0]! + 1e-6))
    const rate = (/vision_sampler|vision_query/.test(name) ? samplerLr : lr)[1]!
    return this.gradient(name).data.map((value) => {
      const gradient = value * clip
      return (-rate * gradient) / (Math.abs(gradient) + optimizer.eps)
    })
  }
}

/** One safetensors file in memory, its tensors as float32. */
class SafetensorsFile {
  private readonly bytes: Buffer
  private readonly entries: ReadonlyMap<string, TensorEntry>

  constructor(private readonly path: string) {
    this.bytes = readFileSync(path)
    const header = parseSafetensorsHeader(this.bytes, this.bytes.length, path)
    this.entries = new Map(header.tensors.map((tensor) => [tensor.name, tensor]))
  }

  has(name: string): boolean {
    return this.entries.has(name)
  }

  /** Names that begin so, without their beginning. */
  namesAfter(beginning: string): string[] {
    return [...this.entries.keys()].flatMap((name) =>
      name.startsWith(beginning) ? [name.slice(beginning.length)] : [],
    )
  }

  tensor(name: string): RecordedTensor {
    const entry = this.entries.get(name)
    if (!entry) throw new Error(`${this.path}: no tensor "${name}"`)
    const bytes = new Uint8Array(this.bytes.subarray(entry.start, entry.end))
    switch (entry.dtype) {
      case 'F32':
        return { shape: entry.shape, data: new Float32Array(bytes.buffer) }
      case 'F16':
        return { shape: entry.shape, data: f16ToF32(new Uint16Array(bytes.buffer)) }
      case 'U8':
        return { shape: entry.shape, data: Float32Array.from(bytes) }
      default:
        throw new Error(`${this.path}: "${name}" is ${entry.dtype}`)
    }
  }
}

const readFacts = <Facts>(folder: string) =>
  JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Facts

function storedWeights(folder: string): SafetensorsFile[] {
  const checkpoint = join(folder, 'checkpoint')
  return readdirSync(checkpoint)
    .filter((file) => file.endsWith('.safetensors'))
    .map((file) => new SafetensorsFile(join(checkpoint, file)))
}

function storedTensor(files: readonly SafetensorsFile[], name: string): RecordedTensor {
  const file = files.find((candidate) => candidate.has(name))
  if (!file) throw new Error(`golden: no stored weight "${name}"`)
  return file.tensor(name)
}
