import type { WeightDtype } from '../../worker/api'
import type { BundledName } from './choice'

/** A public checkpoint the page offers by name. Numbers come from its config.json and safetensors headers. */
export interface CatalogueEntry {
  repo: string
  title: string
  /** One sentence: what it is good for. */
  about: string
  licence: string
  parameters: number
  /** Size of the safetensors files; undefined where it is not known before they are looked up. */
  downloadBytes?: number
  /** Prompt tokens a picture takes; 0 for text only. */
  imageTokens: number
  /** Keys and values of one token in all layers, as f16. */
  cacheBytesPerToken: number
  /** GPU memory in words, where weights alone do not tell it. */
  memory?: string
  /** What an ordinary machine should choose. */
  suggestedDtype: WeightDtype
}

export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    repo: 'llava-hf/llava-interleave-qwen-0.5b-hf',
    title: 'LLaVA Interleave Qwen 0.5B',
    about:
      'A small general assistant, and the best first choice for ordinary photos. Takes several pictures.',
    licence: 'Tongyi Qianwen, research only',
    parameters: 863_965_728,
    downloadBytes: 1_727_931_456,
    imageTokens: 729,
    cacheBytesPerToken: 2 * 24 * 1024 * 2,
    suggestedDtype: 'auto',
  },
  {
    repo: 'llava-hf/llava-1.5-7b-hf',
    title: 'LLaVA 1.5 7B',
    about: 'The classic. Describes scenes and reads large print; wants a GPU with 8 GB or more, at q4.',
    licence: 'Llama 2 Community License',
    parameters: 7_062_902_784,
    downloadBytes: 14_125_805_568,
    imageTokens: 576,
    cacheBytesPerToken: 2 * 32 * 4096 * 2,
    suggestedDtype: 'q4',
  },
  {
    repo: 'llava-hf/llava-1.5-13b-hf',
    title: 'LLaVA 1.5 13B',
    about: 'Somewhat more careful than 7B, at twice the download; for GPUs with 16 GB or more.',
    licence: 'Llama 2 Community License',
    parameters: 13_350_839_296,
    downloadBytes: 26_701_678_592,
    imageTokens: 576,
    cacheBytesPerToken: 2 * 40 * 5120 * 2,
    suggestedDtype: 'q4',
  },
  {
    repo: 'nyu-visionx/cambrian-phi3-3b',
    title: 'Cambrian-1 Phi-3 3B',
    about:
      'Looks through four vision towers at once and shows which of them tells it what. The towers lie in repositories of their own.',
    licence: "its own and those of its towers' repositories",
    parameters: 6_790_000_000,
    memory: 'GPU: about 6 GB at q4, one tower at a time; 15 GB at f16',
    imageTokens: 600,
    cacheBytesPerToken: 2 * 32 * 3072 * 2,
    suggestedDtype: 'q4',
  },
  {
    repo: 'nyu-visionx/cambrian-8b',
    title: 'Cambrian-1 8B',
    about: 'The same four towers before Llama 3 8B: more careful answers.',
    licence: "Llama 3 Community License, and those of its towers' repositories",
    parameters: 11_029_389_552,
    memory: 'GPU: about 10 GB at q4, one tower at a time; 23 GB at f16',
    imageTokens: 600,
    cacheBytesPerToken: 2 * 32 * 1024 * 2,
    suggestedDtype: 'q4',
  },
  {
    repo: 'Qwen/Qwen2.5-0.5B-Instruct',
    title: 'Qwen2.5 0.5B Instruct',
    about: 'Text only: it sees no pictures. Quick to try and good at following short instructions.',
    licence: 'Apache 2.0',
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

export const DTYPES: readonly { value: WeightDtype; label: string; hint: string }[] = [
  { value: 'auto', label: 'Automatic', hint: '16 bit as published; smaller only where needed to fit' },
  { value: 'f16', label: 'f16', hint: '16 bit, as published' },
  { value: 'q8', label: 'q8', hint: '8 bit: about half the memory, hardly any loss' },
  { value: 'q4', label: 'q4', hint: '4 bit: about a third of the memory, some loss' },
  { value: 'f32', label: 'f32', hint: '32 bit: twice the memory, for comparisons' },
]

/** What a bundled model can and cannot do; the figures are from its card. */
export interface BundledEntry {
  readonly name: BundledName
  readonly about: string
  readonly downloadBytes: number
  readonly parameters: number
  readonly sees: readonly string[]
  readonly misses: readonly string[]
}

/** In the order of BUNDLED_NAMES. */
export const BUNDLED: readonly [BundledEntry, ...BundledEntry[]] = [
  {
    name: 'trilobite-nano-cambrian',
    about:
      'Comes with this page: a Cambrian-1 in miniature, with two vision towers, that shows where it looks. Knows drawings of coloured shapes, ten kinds of small photos, and single digits; shown anything else it answers all the same, and is usually wrong.',
    downloadBytes: 21_495_520,
    parameters: 10_282_128,
    sees: [
      'Drawings of one to five coloured shapes: which, how many, where, how large',
      'Small photos of airplanes, cars, birds, cats, deer, dogs, frogs, horses, ships, trucks: 76 of 100 named right',
      'One handwritten digit: 95 of 100 read right',
    ],
    misses: [
      'Anything else: every object becomes one of those ten, with confidence',
      'Detail: it sees 64 × 64 pixels, and less of wide or tall pictures',
      'People, text, places, actions, or which of two shapes is further left',
    ],
  },
  {
    name: 'trilobite-nano-llava',
    about:
      'Comes with this page too: a LLaVA in miniature, with one tower, of the same small world. Half the size, and so far a little more often right about drawings and photos.',
    downloadBytes: 9_263_152,
    parameters: 4_622_400,
    sees: [
      'Drawings of one to five coloured shapes: which, how many, where, how large',
      'Small photos of airplanes, cars, birds, cats, deer, dogs, frogs, horses, ships, trucks: 78 of 100 named right',
      'One handwritten digit: 95 of 100 read right',
    ],
    misses: [
      'Anything else: every object becomes one of those ten, with confidence',
      'Detail: it sees 48 × 48 pixels, and names about half of large, busy photos',
      'People, text, places, actions, or which of two shapes is further left',
    ],
  },
  {
    name: 'trilobite-nano-stage1',
    about:
      'To be trained, not to chat with: trilobite-nano-llava right before stage 1. Its tower knows the pictures and its language model the words, but the projector between them is random, so it answers with nonsense until it has been trained.',
    downloadBytes: 9_263_152,
    parameters: 4_622_400,
    sees: [
      'After three epochs on the 200 sample pairs: whether it is a photo, a digit or a drawing (55 of 64 right)',
      'And of ten kinds of photos some: 9 of 26 named right',
    ],
    misses: [
      'Everything before: its captions of pictures are nonsense',
      'Questions: it learns captions alone; for those there is trilobite-nano-llava, which went on to stage 2',
    ],
  },
]
