import { describe, expect, test } from 'vitest'
import { nodeCodecLoader } from '../cli/codecs-node'
import { filesToFetch, openModel, type OpenedModel } from './checkpoint-files'
import type { TensorEntry } from './checkpoint/safetensors'
import { bf16ToF32, f16ToF32 } from './checkpoint/half'
import { writeSafetensors, type TensorData } from './checkpoint/safetensors-writer'
import type { CheckpointSource } from './checkpoint/source'
import { streamTensors } from './checkpoint/stream-tensors'
import { memorySource, type FileContents } from './checkpoint/testing/memory-source'
import { createCodecs } from './image/codecs'
import { decodeImage } from './image/decode'
import { preprocess } from './image/preprocess'
import { messagesOf, OriginalCase } from './testing/original'
import { Tokenizer } from './tokenizer'

/** Every tensor of a model in its own bits, from whatever repositories it lies in. */
async function readAll({ checkpoints, tensors }: OpenedModel) {
  const wanted = new Map([...tensors].map(([name, entry]) => [entry, name]))
  const found = new Map<string, { entry: TensorEntry; bytes: Uint8Array<ArrayBuffer> }>()
  const files: string[] = []
  const report = await streamTensors(
    checkpoints,
    {
      chunkBytes: (entry) => (wanted.has(entry) ? entry.end - entry.start : undefined),
      write: (entry, _, bytes) => void found.set(wanted.get(entry)!, { entry, bytes: bytes.slice() }),
    },
    { onProgress: ({ file, fileIndex }) => void (files[fileIndex] = file) },
  )
  return { found, files, report }
}

const widened = ({ entry, bytes }: { entry: TensorEntry; bytes: Uint8Array<ArrayBuffer> }) =>
  entry.dtype === 'F32'
    ? new Float32Array(bytes.buffer)
    : (entry.dtype === 'BF16' ? bf16ToF32 : f16ToF32)(new Uint16Array(bytes.buffer))

const TOWER_SHAPES = {
  'llava-original': { layers: 4, side: 84, imageTokens: 36, repositories: 2 },
  'llava-v1-linear': { layers: 4, side: 70, imageTokens: 25, repositories: 3 },
} as const

describe.each(['llava-original', 'llava-v1-linear'] as const)('%s', (name) => {
  const golden = new OriginalCase(name)
  const shape = TOWER_SHAPES[name]

  test('finds every parameter in the repositories it refers to', async () => {
    const opened = await golden.open()
    const { vision } = opened.blueprint
    expect(opened.checkpoints).toHaveLength(shape.repositories)
    expect([...opened.tensors.keys()].sort()).toEqual(Object.keys(opened.specs).sort())
    expect(vision).toMatchObject({ imageTokenId: -200 })
    const [tower] = vision!.towers
    expect(tower!.dropsFirstRow).toBe(true)
    expect(tower!.tower.config).toMatchObject({ imageSize: shape.side, layers: shape.layers })
    // hidden_states[-2]: the last block never runs and is not fetched.
    const { depth } = tower!.output
    expect(depth).toBe(shape.layers - 1)
    expect([...opened.tensors.keys()].some((key) => key.includes(`encoder.layers.${depth}.`))).toBe(false)
  })

  test('streams them with one combined progress, and embeds text as recorded', async () => {
    const opened = await golden.open()
    const { found, files, report } = await readAll(opened)
    expect([...found.keys()].sort()).toEqual([...opened.tensors.keys()].sort())
    expect(files).toHaveLength(filesToFetch(opened).length)
    const bytes = [...opened.tensors.values()].reduce((sum, { start, end }) => sum + end - start, 0)
    expect(report.writtenBytes).toBe(bytes)

    const table = widened(found.get('language.model.embed_tokens.weight')!)
    const turn = golden.facts.turns.find(({ images }) => images.length === 0)!
    const want = golden.tensor(turn.tensors['inputs_embeds']!)
    const width = want.shape.at(-1)!
    const got = turn.input_ids.flatMap((id) => [...table.subarray(id * width, (id + 1) * width)])
    expect(got).toEqual([...want.data])
  })

  test.each(golden.facts.turns)('turn $name: renders the prompt and its ids', async (turn) => {
    const opened = await golden.open()
    const tokenizer = Tokenizer.from(opened, golden.facts.conv_mode)
    const { text, ids } = tokenizer.chat(messagesOf(turn))
    expect(text).toBe(turn.prompt)
    expect(ids).toEqual(turn.input_ids)
    expect(tokenizer.encode(turn.prompt)).toEqual(turn.input_ids)
    const rows = ids.reduce((sum, id) => sum + (id === -200 ? shape.imageTokens : 1), 0)
    expect(rows).toBe(turn.sequence_length)
    expect(opened.blueprint.vision!.imageTokens).toBe(shape.imageTokens)
  })

  test.each(golden.facts.turns.filter(({ images }) => images.length > 0))(
    'turn $name: preprocesses its pictures',
    async (turn) => {
      const [processor] = (await golden.open()).processors
      const codecs = createCodecs(nodeCodecLoader)
      const want = golden.tensor(turn.tensors['pixel_values']!)
      const got: number[] = []
      for (const file of turn.images) {
        got.push(...preprocess(await decodeImage(golden.imageBytes(file), codecs), processor!).pixels)
      }
      expect(got).toHaveLength(want.data.length)
      const worst = got.reduce((most, value, i) => Math.max(most, Math.abs(value - want.data[i]!)), 0)
      expect(worst).toBeLessThan(1e-5)
    },
  )

  test('closes a reply by the end token of its template', async () => {
    const tokenizer = Tokenizer.from(await golden.open(), golden.facts.conv_mode)
    expect(tokenizer.stopTokenIds).toEqual([2])
  })
})

/** The v1.5 case as a source whose files may be changed; the tower's repository likewise. */
async function remade(change: (files: FileContents, tower: FileContents) => void | Promise<void>) {
  const golden = new OriginalCase('llava-original')
  const copy = async (source: CheckpointSource, names: string[]) => {
    const files: FileContents = {}
    for (const name of names) files[name] = (await source.readText(name))!
    return files
  }
  const files = await copy(golden.checkpoint, ['config.json', 'tokenizer.json', 'tokenizer_config.json'])
  const [location] = Object.keys(golden.facts.towers)
  const tower = await copy(golden.resolve(location!), ['config.json', 'preprocessor_config.json'])
  await change(files, tower)
  const asked: string[] = []
  const resolve = (repo: string) => {
    asked.push(repo)
    return memorySource(tower)
  }
  return { opening: openModel(memorySource(files), { resolve }), asked, golden }
}

/** One safetensors file of the whole v1.5 case, tower included, under LLaVA's own keys. */
async function wholeFile(): Promise<Uint8Array> {
  const { found } = await readAll(await new OriginalCase('llava-original').open())
  const tensors = [...found].map(([name, { entry, bytes }]): TensorData => {
    const key = name.startsWith('vision.')
      ? name.replace('vision.', 'model.vision_tower.vision_tower.vision_model.')
      : entry.name
    return { name: key, dtype: entry.dtype, shape: entry.shape, data: bytes }
  })
  return new Uint8Array(Buffer.concat(writeSafetensors(tensors)))
}

const edit = (files: FileContents, change: Record<string, unknown>) => {
  const config = { ...(JSON.parse(files['config.json'] as string) as object), ...change }
  files['config.json'] = JSON.stringify(config)
}

describe('a checkpoint in LLaVA’s own layout', () => {
  test('that holds its tower asks the repository for nothing but its configs', async () => {
    const { opening, asked } = await remade(async (files) => {
      files['model.safetensors'] = await wholeFile()
    })
    const { checkpoints, tensors, specs } = await opening
    expect(checkpoints).toHaveLength(1)
    expect(tensors.size).toBe(Object.keys(specs).length)
    expect(asked).toEqual(['openai/clip-vit-large-patch14-336'])
  })

  test('may bring its tower in a folder of its own', async () => {
    const { opening, asked } = await remade(async (files, tower) => {
      edit(files, { mm_vision_tower: './vit/clip' })
      for (const [name, data] of Object.entries(tower)) files[`vit/clip/${name}`] = data
      files['model.safetensors'] = await wholeFile()
    })
    expect((await opening).processors).toMatchObject([{ centerCrop: { height: 84 } }])
    expect(asked).toEqual([])
  })

  test('marks pictures by <im_start> and <im_end> where its config says so', async () => {
    const { opening } = await remade(async (files) => {
      edit(files, { mm_use_im_start_end: true })
      files['model.safetensors'] = await wholeFile()
    })
    const tokenizer = Tokenizer.from(await opening)
    const { text } = tokenizer.chat([{ role: 'user', text: 'Hi', images: 1 }])
    expect(text).toContain('USER: <im_start><image><im_end>\nHi ASSISTANT:')
  })

  test.each([
    ['a path on this machine', { mm_vision_tower: '/data/clip' }, 'neither owner/name nor a folder'],
    ['a path upwards', { mm_vision_tower: './../clip' }, 'inside the checkpoint'],
    ['tiles', { image_aspect_ratio: 'anyres' }, 'image_aspect_ratio should be one of pad, square'],
    ['merged tiles', { mm_patch_merge_type: 'spatial_unpad' }, 'mm_patch_merge_type'],
    ['a connector nobody knows', { mm_projector_type: 'cabstract' }, '"cabstract" is not known'],
    ['a layer the tower lacks', { mm_vision_select_layer: -9 }, 'mm_vision_select_layer'],
  ])('is refused with %s', async (_, change, message) => {
    const { opening } = await remade((files) => edit(files, change))
    await expect(opening).rejects.toThrow(message)
  })

  test('that is an adapter names what it lacks when no base is given', async () => {
    const { checkpoint, resolve } = new OriginalCase('llava-v1-linear')
    await expect(openModel(checkpoint, { resolve })).rejects.toThrow('--base PATH|ID')
  })
})
