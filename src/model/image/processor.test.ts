import { describe, expect, it } from 'vitest'
import { outputSizeOf, parseImageProcessor } from './processor'

const CLIP = { image_processor_type: 'CLIPImageProcessor' }

describe('parseImageProcessor', () => {
  it('fills in what the class has in transformers', () => {
    expect(parseImageProcessor(CLIP)).toEqual({
      type: 'CLIPImageProcessor',
      padToSquare: false,
      resize: { size: { shortestEdge: 224 }, filter: 'bicubic' },
      centerCrop: { height: 224, width: 224 },
      rescaleFactor: 1 / 255,
      normalize: true,
      mean: [0.48145466, 0.4578275, 0.40821073],
      std: [0.26862954, 0.26130258, 0.27577711],
    })
    expect(parseImageProcessor({ image_processor_type: 'SiglipImageProcessor' })).toMatchObject({
      resize: { size: { height: 224, width: 224 } },
      centerCrop: undefined,
      mean: [0.5, 0.5, 0.5],
    })
  })

  it('takes null for missing', () => {
    expect(parseImageProcessor({ ...CLIP, do_convert_rgb: null, do_pad: null, size: null })).toEqual(
      parseImageProcessor(CLIP),
    )
  })

  it('finds the image processor inside processor_config.json, and names of the fast classes', () => {
    const nested = {
      processor_class: 'LlavaProcessor',
      image_processor: { image_processor_type: 'SiglipImageProcessorFast' },
    }
    expect(parseImageProcessor(nested).type).toBe('SiglipImageProcessor')
  })

  it('reads the old spelling', () => {
    const old = { feature_extractor_type: 'CLIPFeatureExtractor', size: 70, crop_size: 56, resample: 2 }
    expect(parseImageProcessor(old)).toMatchObject({
      type: 'CLIPImageProcessor',
      resize: { size: { shortestEdge: 70 }, filter: 'bilinear' },
      centerCrop: { height: 56, width: 56 },
    })
  })

  it('pads to a square where LlavaImageProcessor says so', () => {
    expect(
      parseImageProcessor({ image_processor_type: 'LlavaImageProcessor', do_pad: true }).padToSquare,
    ).toBe(true)
    expect(parseImageProcessor({ ...CLIP, do_pad: true }).padToSquare).toBe(false)
  })

  it.each<[string, unknown, RegExp]>([
    ['no class', { size: 224 }, /expected image_processor_type, got nothing.*CLIPImageProcessor/],
    [
      'unknown class',
      { image_processor_type: 'FuyuImageProcessor' },
      /one of CLIP.*Siglip.*got "FuyuImageProcessor"/,
    ],
    ['inherited name', { image_processor_type: 'toString' }, /got "toString"/],
    ['size', { ...CLIP, size: { longest_edge: 5 } }, /size with shortest_edge.*got \{"longest_edge":5\}/],
    ['two rules', { ...CLIP, size: { shortest_edge: 5, longest_edge: 9 } }, /size with shortest_edge/],
    ['crop', { ...CLIP, crop_size: { height: 5 } }, /crop_size.width to be a whole number.*got nothing/],
    [
      'fraction',
      { ...CLIP, size: { shortest_edge: 1.5 } },
      /size.shortest_edge to be a whole number.*got 1.5/,
    ],
    ['filter', { ...CLIP, resample: 9 }, /resample from 0 to 5, got 9/],
    ['flag', { ...CLIP, do_resize: 'yes' }, /do_resize to be true or false, got "yes"/],
    ['mean', { ...CLIP, image_mean: [0.5, 0.5] }, /image_mean with a usable number/],
    ['std', { ...CLIP, image_std: [0.5, 0, 0.5] }, /image_std with a usable number/],
    ['factor', { ...CLIP, rescale_factor: 0 }, /rescale_factor above 0, got 0/],
    ['pad size', { ...CLIP, do_pad: true, pad_size: { height: 9, width: 9 } }, /expected no pad_size/],
    ['not an object', [1], /expected a JSON object, got \[1\]/],
  ])('refuses: %s', (_, json, message) => {
    expect(() => parseImageProcessor(json)).toThrow(message)
    expect(() => parseImageProcessor(json)).toThrow(expect.objectContaining({ name: 'ConfigError' }))
  })
})

describe('outputSizeOf', () => {
  it('is known for crops, fixed sizes and squares', () => {
    expect(outputSizeOf(parseImageProcessor(CLIP))).toEqual({ height: 224, width: 224 })
    const siglip = { image_processor_type: 'SiglipImageProcessor', size: { height: 90, width: 80 } }
    expect(outputSizeOf(parseImageProcessor(siglip))).toEqual({ height: 90, width: 80 })
    expect(outputSizeOf(parseImageProcessor({ ...CLIP, do_center_crop: false }))).toBeUndefined()
    const square = { image_processor_type: 'LlavaImageProcessor', do_center_crop: false, do_pad: true }
    expect(outputSizeOf(parseImageProcessor(square))).toEqual({ height: 224, width: 224 })
  })
})
