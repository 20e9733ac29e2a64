import { Encoder } from '../kernels'
import type { ChatModel } from '../model/chat-model'
import { forwardAll } from '../model/generate'
import { imagesOf, preparePrompt, type Question } from './prepare-prompt'

/** Tensors of one prompt, as golden cases record them. */
export type DebugTensors = Record<string, { shape: number[]; data: Float32Array }>

/**
 * Every intermediate result of one prompt that other implementations can be compared in.
 *
 * Shapes: pixel_values [B, 3, H, W], vision_features [B, n, C], connector_output [B, n, D], inputs_embeds [T, D],
 * logits [T, V]; the first three only with pictures.
 */
export async function debugForward(model: ChatModel, question: Question): Promise<DebugTensors> {
  const { vlm, images, conversation } = model
  const tensors: DebugTensors = {}
  const pictures = imagesOf(question)
  const add = (name: string, index: number, shape: readonly number[], values: Float32Array) => {
    tensors[name] ??= {
      shape: [pictures.length, ...shape],
      data: new Float32Array(values.length * pictures.length),
    }
    tensors[name].data.set(values, index * values.length)
  }
  for (const [i, { blob }] of pictures.entries()) {
    const values = await images!.pixels(new Uint8Array(await blob.arrayBuffer()))
    const pixels = images!.uploadPixels(values)
    const enc = new Encoder(vlm.gpu, vlm.arena, 'debug')
    try {
      const features = vlm.visionFeatures(enc, pixels)
      const connected = vlm.connect(enc, features)
      add('pixel_values', i, [3, values.height, values.width], values.pixels)
      add('vision_features', i, features.shape, await enc.read(features))
      add('connector_output', i, connected.shape, await enc.read(connected))
    } finally {
      enc.end()
      vlm.gpu.destroyBuffer(pixels.buffer)
    }
  }
  const prompt = await preparePrompt(model, question, () => {}, new AbortController().signal)
  const { inputsEmbeds, logits } = await forwardAll(vlm, conversation, prompt)
  const { hiddenSize, vocabSize } = vlm.blueprint.language.config
  tensors['inputs_embeds'] = { shape: [prompt.ids.length, hiddenSize], data: inputsEmbeds }
  tensors['logits'] = { shape: [prompt.ids.length, vocabSize], data: logits }
  return tensors
}
