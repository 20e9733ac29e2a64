import type { WeightDtype } from '../../worker/api'
import type { Messages } from '../text/messages/en'
import type { BundledName } from './choice'

/**
 * A public checkpoint the page offers by name. Numbers come from its config.json and safetensors headers; what it is good
 * for is told by `models.catalogue` of the messages.
 */
export interface CatalogueEntry {
  repo: keyof Messages['models']['catalogue']
  title: string
  parameters: number
  /** Size of the safetensors files; undefined where it is not known before they are looked up. */
  downloadBytes?: number
  /** Prompt tokens a picture takes; 0 for text only. */
  imageTokens: number
  /** Keys and values of one token in all layers, as f16. */
  cacheBytesPerToken: number
  /** GPU memory, where weights alone do not tell it: at q4 with one tower at a time, and at f16. */
  memoryGB?: { q4: number; f16: number }
  /** What an ordinary machine should choose. */
  suggestedDtype: WeightDtype
}

export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    repo: 'llava-hf/llava-interleave-qwen-0.5b-hf',
    title: 'LLaVA Interleave Qwen 0.5B',
    parameters: 863_965_728,
    downloadBytes: 1_727_931_456,
    imageTokens: 729,
    cacheBytesPerToken: 2 * 24 * 1024 * 2,
    suggestedDtype: 'auto',
  },
  {
    repo: 'llava-hf/llava-1.5-7b-hf',
    title: 'LLaVA 1.5 7B',
    parameters: 7_062_902_784,
    downloadBytes: 14_125_805_568,
    imageTokens: 576,
    cacheBytesPerToken: 2 * 32 * 4096 * 2,
    suggestedDtype: 'q4',
  },
  {
    repo: 'llava-hf/llava-1.5-13b-hf',
    title: 'LLaVA 1.5 13B',
    parameters: 13_350_839_296,
    downloadBytes: 26_701_678_592,
    imageTokens: 576,
    cacheBytesPerToken: 2 * 40 * 5120 * 2,
    suggestedDtype: 'q4',
  },
  {
    repo: 'nyu-visionx/cambrian-phi3-3b',
    title: 'Cambrian-1 Phi-3 3B',
    parameters: 6_790_000_000,
    memoryGB: { q4: 6, f16: 15 },
    imageTokens: 600,
    cacheBytesPerToken: 2 * 32 * 3072 * 2,
    suggestedDtype: 'q4',
  },
  {
    repo: 'nyu-visionx/cambrian-8b',
    title: 'Cambrian-1 8B',
    parameters: 11_029_389_552,
    memoryGB: { q4: 10, f16: 23 },
    imageTokens: 600,
    cacheBytesPerToken: 2 * 32 * 1024 * 2,
    suggestedDtype: 'q4',
  },
  {
    repo: 'Qwen/Qwen2.5-0.5B-Instruct',
    title: 'Qwen2.5 0.5B Instruct',
    parameters: 494_032_768,
    downloadBytes: 988_065_536,
    imageTokens: 0,
    cacheBytesPerToken: 2 * 24 * 128 * 2,
    suggestedDtype: 'auto',
  },
]

// Packed weights carry a scale (and a minimum) for each block of 32: q8 is 8.5 to 9 bits a weight, q4 is 5.
const BYTES_PER_WEIGHT = { f32: 4, f16: 2, q8: 9 / 8, q4: 5 / 8 } as const

/** Weights on the GPU, estimated. The engine's plan replaces this once config.json has been read. */
export function estimateWeightBytes(parameters: number, dtype: keyof typeof BYTES_PER_WEIGHT): number {
  return parameters * BYTES_PER_WEIGHT[dtype]
}

/** Formats of the weights, in the order they are offered. */
export const DTYPES: readonly WeightDtype[] = ['auto', 'f16', 'q8', 'q4', 'f32']

/** A bundled model; what it is is told by `models.bundled` of the messages. */
export interface BundledEntry {
  readonly name: BundledName
  readonly downloadBytes: number
  readonly parameters: number
}

/** In the order of BUNDLED_NAMES. */
export const BUNDLED: readonly [BundledEntry, ...BundledEntry[]] = [
  {
    name: 'trilobite-nano-cambrian',
    downloadBytes: 21_495_520,
    parameters: 10_282_128,
  },
  {
    name: 'trilobite-nano-llava',
    downloadBytes: 9_263_152,
    parameters: 4_622_400,
  },
  {
    name: 'trilobite-nano-stage1',
    downloadBytes: 9_263_152,
    parameters: 4_622_400,
  },
]
