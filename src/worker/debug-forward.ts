import { Encoder, uploadTensor, type Tensor } from '../kernels'
import type { ChatModel } from '../model/chat-model'
import { forwardAll } from '../model/generate'
import type { TowerFeatures } from '../model/tower-features'
import { selectFeatures } from '../model/towers'
import { imagesOf, preparePrompt, type Question } from './prepare-prompt'

/** Rows of features read at a time. */
const READ_ROWS = 256

/** Tensors of one prompt, as golden cases record them. */
export type DebugTensors = Record<string, { shape: number[]; data: Float32Array }>

/**
 * Every intermediate result of one prompt that other implementations can be compared in.
 *
 * Shapes: pixel_values [B, 3, H, W], vision_features [B, n, C], connector_output [all rows of all pictures, D] or
 * [B, n, D] where they take equally many; inputs_embeds [T, D], logits [T, V]. The first three only with pictures. Of
 * several towers: `pixel_values.t`, `tower.t`, and `aux.t` [B, n, K], which is what the connector keeps of each.
 */
export async function debugForward(model: ChatModel, question: Question): Promise<DebugTensors> {
  const { vlm, images, conversation } = model
  const { towers, connector, gpu, arena } = vlm
  const found: Record<string, { shape: readonly number[]; data: Float32Array }[]> = {}
  const add = (name: string, shape: readonly number[], data: Float32Array) =>
    void (found[name] ??= []).push({ shape, data })
  const nameOf = (kind: 'pixel_values' | 'tower', t: number) =>
    towers.count > 1 ? `${kind}.${t}` : kind === 'tower' ? 'vision_features' : kind
  for (const { blob } of imagesOf(question)) {
    const picture = await images!.decode(new Uint8Array(await blob.arrayBuffer()))
    const kept: Tensor[] = []
    for (let t = 0; t < towers.count; t++) {
      const { pixels, height, width } = images!.pixels(picture, t)
      add(nameOf('pixel_values', t), [3, height, width], pixels)
      await towers.use(t, {}, async (tower, blueprint) => {
        const enc = new Encoder(gpu, arena, 'debug')
        const input = uploadTensor(gpu, 'pixel values', [1, 3, height, width], pixels)
        try {
          const features = selectFeatures(enc, blueprint, await tower.features(enc, input))
          add(nameOf('tower', t), [features.rows, features.width], await readFeatures(enc, features))
          const map = connector!.keep(enc, t, features)
          const data = await enc.read(map)
          if (towers.count > 1) add(`aux.${t}`, map.shape, data)
          kept.push(uploadTensor(gpu, 'kept', map.shape, data as Float32Array<ArrayBuffer>))
        } finally {
          enc.end()
          gpu.destroyBuffer(input.buffer)
        }
      })
    }
    const enc = new Encoder(gpu, arena, 'debug')
    const rows = connector!.join(enc, kept, picture)
    add('connector_output', rows.shape, await enc.read(rows))
    enc.end()
    for (const { buffer } of kept) gpu.destroyBuffer(buffer)
  }
  const tensors: DebugTensors = {}
  for (const [name, pictures] of Object.entries(found)) tensors[name] = stack(pictures)
  const prompt = await preparePrompt(model, question, () => {}, new AbortController().signal)
  const { inputsEmbeds, logits } = await forwardAll(vlm, conversation, prompt)
  const { hiddenSize, vocabSize } = vlm.blueprint.language.config
  tensors['inputs_embeds'] = { shape: [prompt.ids.length, hiddenSize], data: inputsEmbeds }
  tensors['logits'] = { shape: [prompt.ids.length, vocabSize], data: logits }
  return tensors
}

/** Features a few rows at a time: a wide map has more bytes than a binding. */
async function readFeatures(enc: Encoder, features: TowerFeatures): Promise<Float32Array> {
  const { rows, width } = features
  const data = new Float32Array(rows * width)
  for (let start = 0; start < rows; start += READ_ROWS) {
    const part = features.take(enc, start, Math.min(READ_ROWS, rows - start))
    data.set(await enc.read(part), start * width)
  }
  return data
}

/** One tensor of those of all pictures: with a dimension of its own where they are alike, else row after row. */
function stack(pictures: readonly { shape: readonly number[]; data: Float32Array }[]) {
  const [first] = pictures as [(typeof pictures)[number]]
  const data = new Float32Array(pictures.reduce((sum, { data }) => sum + data.length, 0))
  let at = 0
  for (const picture of pictures) {
    data.set(picture.data, at)
    at += picture.data.length
  }
  const isAlike = pictures.every(({ shape }) => shape[0] === first.shape[0])
  const rows = pictures.reduce((sum, { shape }) => sum + shape[0]!, 0)
  return { shape: isAlike ? [pictures.length, ...first.shape] : [rows, ...first.shape.slice(1)], data }
}
