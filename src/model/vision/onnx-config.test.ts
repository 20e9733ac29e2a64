import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../config-reader'
import { parseOnnxConfig } from './onnx-config'

const plain: JsonObject = {
  model_type: 'onnx',
  file: 'encoder.onnx',
  image_size: 1024,
  output: 'image_embed',
  output_layout: 'nchw',
  output_size: 64,
  hidden_size: 256,
}
const pyramid: JsonObject = {
  model_type: 'onnx',
  file: 'encoder.onnx',
  image_size: 1024,
  outputs: [
    { name: 'fine', layout: 'nchw', size: 256, width: 32 },
    { name: 'coarse', layout: 'nhwc', size: 64, width: 256 },
  ],
}
const parse = (json: JsonObject) => parseOnnxConfig(json, 'config.json:')

describe('the config of an ONNX encoder', () => {
  test('tells the model what one map gives', () => {
    const config = parse(plain)
    expect(config.tower).toEqual({
      imageSize: 1024,
      hiddenSize: 256,
      layers: 1,
      patchTokens: 4096,
      hasClsToken: false,
    })
    expect(config).toMatchObject({ file: 'encoder.onnx', engine: 'auto', externalData: [], input: undefined })
  })

  test('tells the model what a pyramid gives', () => {
    expect(parse(pyramid).tower).toEqual({
      imageSize: 1024,
      hiddenSize: 288,
      layers: 1,
      patchTokens: 65536,
      hasClsToken: false,
      maps: [
        { side: 256, width: 32 },
        { side: 64, width: 256 },
      ],
    })
  })

  const one = (change: JsonObject) => ({ ...plain, ...change })
  const two = (change: JsonObject) => ({ ...pyramid, ...change })
  const fine = { name: 'fine', layout: 'nchw', size: 256, width: 32 }
  const refused: [field: string, json: JsonObject, message: string][] = [
    ['file', one({ file: null }), 'file should be a string but is missing'],
    ['file', one({ file: '../encoder.onnx' }), "inside the checkpoint's folder"],
    ['file', one({ file: 'https://example.org/encoder.onnx' }), "inside the checkpoint's folder"],
    ['external_data', one({ external_data: 'a.data' }), 'external_data should be a list of file names'],
    ['external_data', one({ external_data: ['/a.data'] }), "inside the checkpoint's folder"],
    [
      'output_layout',
      one({ output_layout: 'chw' }),
      'output_layout should be one of nchw, nhwc, nlc but is "chw"',
    ],
    ['output_size', one({ output_size: 0 }), 'output_size should be a positive integer but is 0'],
    ['hidden_size', one({ hidden_size: null }), 'hidden_size should be an integer but is missing'],
    ['engine', one({ engine: 'cuda' }), 'engine should be one of auto, webgpu, cpu but is "cuda"'],
    ['class_token', one({ class_token: true }), 'class_token should be false unless'],
    ['an unknown one', one({ outputlayout: 'nlc' }), 'outputlayout should be one of the known fields'],
    ['outputs', two({ outputs: [fine] }), 'outputs should be a list of two or more objects'],
    ['outputs', two({ outputs: [fine, 'coarse'] }), 'outputs[1] should be an object but is "coarse"'],
    ['outputs', two({ outputs: [fine, fine] }), 'outputs[1].name should be another output'],
    ['outputs', two({ outputs: [fine, { ...fine, name: 'finer', size: 512 }] }), 'at most 256: finest first'],
    [
      'outputs',
      two({ outputs: [fine, { ...fine, side: 2 }] }),
      'outputs[1].side should be one of the known fields',
    ],
    ['output', two({ output: 'fine' }), 'output should be left out where `outputs` is given'],
    ['hidden_size', two({ hidden_size: 256 }), "hidden_size should be 288, the outputs' widths together"],
  ]
  test.each(refused)('an error names %s', (_, json, message) => {
    expect(() => parse(json)).toThrow(message)
  })

  test('another picture size than the encoder has is refused', () => {
    expect(() => parseOnnxConfig(plain, 'config.json:', { imageSize: 512 })).toThrow(
      'image_size should be 512, as the model asks for but is 1024',
    )
  })
})
