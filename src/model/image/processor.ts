import { ConfigError } from '../errors'
import type { Colour } from './pad'
import type { ResampleFilter, ResizeLibrary } from './resize'

/** What is done to a picture before a vision tower sees it, in this order; a missing step is not done. */
export interface ImageProcessor {
  /** The class in transformers, without `Fast`. */
  readonly type: ImageProcessorType
  /** Centre the picture on a square in the mean colour first (`image_aspect_ratio: pad` of LLaVA's own configs). */
  readonly padToSquare: boolean
  /** Mean whose colour fills that square; default: `mean`. */
  readonly padMean?: Colour
  readonly resize?: {
    /** Units: pixels. `shortestEdge` keeps the shape. */
    readonly size: { readonly shortestEdge: number } | { readonly height: number; readonly width: number }
    readonly filter: ResampleFilter
    /** Default: PIL, which the original projects use. */
    readonly library?: ResizeLibrary
  }
  readonly centerCrop?: { readonly height: number; readonly width: number }
  readonly rescaleFactor?: number
  /** Always given: `padToSquare` takes its colour from it. */
  readonly mean: Colour
  readonly std: Colour
  readonly normalize: boolean
}

/** Longest side of what a tower sees. Units: pixels. */
export const MAX_SIDE = 16384

type Json = Record<string, unknown>

const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711]

const CLIP_DEFAULTS: Json = {
  do_resize: true,
  size: { shortest_edge: 224 },
  resample: 3,
  do_center_crop: true,
  crop_size: { height: 224, width: 224 },
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: CLIP_MEAN,
  image_std: CLIP_STD,
  do_convert_rgb: true,
  do_pad: false,
}

/** What each class falls back to for a missing or null field. Source: transformers 5.17, models/<name>/image_processing_pil_<name>.py. */
const DEFAULTS = {
  CLIPImageProcessor: CLIP_DEFAULTS,
  LlavaImageProcessor: CLIP_DEFAULTS,
  BitImageProcessor: CLIP_DEFAULTS,
  SiglipImageProcessor: {
    ...CLIP_DEFAULTS,
    size: { height: 224, width: 224 },
    do_center_crop: false,
    crop_size: undefined,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  },
} satisfies Record<string, Json>

export type ImageProcessorType = keyof typeof DEFAULTS

/** PIL's numbers for its filters, in order. */
const FILTER_NUMBERS: ResampleFilter[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming']

const OP = 'image processor config'

/**
 * Reads a parsed preprocessor_config.json, or a processor_config.json with the image processor nested inside.
 *
 * Old spellings are understood: `feature_extractor_type`, and whole numbers for `size` and `crop_size`.
 * `do_convert_rgb` is not looked at: pictures arrive here as RGB already.
 *
 * `library` is what the model's project resizes with, unless the class names PIL.
 *
 * Throws: ConfigError for an unknown class, or a field this code cannot honour.
 */
export function parseImageProcessor(json: unknown, library?: ResizeLibrary): ImageProcessor {
  if (!isObject(json)) throw wrong('a JSON object', json)
  const config = isObject(json.image_processor) ? json.image_processor : json
  const type = typeOf(config)
  const field = (name: string): unknown => config[name] ?? (DEFAULTS[type] as Json)[name]

  const wantsPad = flag(field('do_pad'), 'do_pad')
  if (wantsPad && type !== 'LlavaImageProcessor' && config.pad_size != null) {
    throw wrong('no pad_size', config.pad_size, 'Padding to a fixed size is not supported.')
  }
  const filter = FILTER_NUMBERS[field('resample') as number]
  if (!filter) throw wrong('resample from 0 to 5', field('resample'))
  return {
    type,
    // Elsewhere do_pad only evens out the sizes of a batch.
    padToSquare: wantsPad && type === 'LlavaImageProcessor',
    resize: flag(field('do_resize'), 'do_resize')
      ? { size: sizeOf(field('size')), filter, ...(library && !namesPil(config) && { library }) }
      : undefined,
    centerCrop: flag(field('do_center_crop'), 'do_center_crop') ? cropOf(field('crop_size')) : undefined,
    rescaleFactor: flag(field('do_rescale'), 'do_rescale')
      ? positive(field('rescale_factor'), 'rescale_factor')
      : undefined,
    mean: triple(field('image_mean'), 'image_mean'),
    std: triple(field('image_std'), 'image_std', (v) => v !== 0),
    normalize: flag(field('do_normalize'), 'do_normalize'),
  }
}

/** The size every picture comes out with, or undefined when it depends on the picture. Units: pixels. */
export function outputSizeOf(processor: ImageProcessor): { height: number; width: number } | undefined {
  if (processor.centerCrop) return processor.centerCrop
  const size = processor.resize?.size
  if (!size) return undefined
  if ('height' in size) return size
  return processor.padToSquare ? { height: size.shortestEdge, width: size.shortestEdge } : undefined
}

function typeOf(config: Json): ImageProcessorType {
  const given = config.image_processor_type ?? config.feature_extractor_type
  const known = Object.keys(DEFAULTS).join(', ')
  if (typeof given !== 'string') {
    throw wrong('image_processor_type', given, `Known ones: ${known}.`)
  }
  const name = given.replace('FeatureExtractor', 'ImageProcessor').replace(/(Fast|Pil)$/, '')
  if (!Object.hasOwn(DEFAULTS, name)) throw wrong(`image_processor_type to be one of ${known}`, given)
  return name as ImageProcessorType
}

/** transformers 5 has each class twice: `CLIPImageProcessor` on torchvision and `CLIPImageProcessorPil`. */
const namesPil = ({ image_processor_type: type }: Json) => typeof type === 'string' && type.endsWith('Pil')

function sizeOf(value: unknown): { shortestEdge: number } | { height: number; width: number } {
  if (typeof value === 'number') return { shortestEdge: pixels(value, 'size') }
  if (isObject(value)) {
    const keys = Object.keys(value)
      .filter((key) => value[key] != null)
      .sort()
      .join(', ')
    if (keys === 'shortest_edge') return { shortestEdge: pixels(value.shortest_edge, 'size.shortest_edge') }
    if (keys === 'height, width') return cropOf(value, 'size')
  }
  throw wrong('size with shortest_edge, or with height and width', value)
}

function cropOf(value: unknown, name = 'crop_size'): { height: number; width: number } {
  if (typeof value === 'number') return { height: pixels(value, name), width: pixels(value, name) }
  if (!isObject(value)) throw wrong(`${name} with height and width`, value)
  return { height: pixels(value.height, `${name}.height`), width: pixels(value.width, `${name}.width`) }
}

function flag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw wrong(`${name} to be true or false`, value)
  return value
}

function positive(value: unknown, name: string): number {
  if (typeof value !== 'number' || !(value > 0)) throw wrong(`${name} above 0`, value)
  return value
}

function pixels(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > MAX_SIDE) {
    throw wrong(`${name} to be a whole number of pixels from 1 to ${MAX_SIDE}`, value)
  }
  return value
}

function triple(value: unknown, name: string, isValid = (_: number): boolean => true): Colour {
  const values = typeof value === 'number' ? [value, value, value] : value
  const isTriple = Array.isArray(values) && values.length === 3
  if (!isTriple || !values.every((v) => typeof v === 'number' && Number.isFinite(v) && isValid(v))) {
    throw wrong(`${name} with a usable number for each of red, green and blue`, value)
  }
  return values as unknown as Colour
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrong(
  expected: string,
  came: unknown,
  advice = "Check the checkpoint's preprocessor_config.json.",
): ConfigError {
  const shown = came === undefined ? 'nothing' : JSON.stringify(came)
  return new ConfigError(`${OP}: expected ${expected}, got ${shown}. ${advice}`)
}
