import fc from 'fast-check'
import { readdirSync, readFileSync } from 'node:fs'
import { nodeCodecLoader } from '../../../cli/codecs-node'
import { parseMarkdown } from '../../../ui/text/markdown'
import { openModel, type OpenedModel } from '../../checkpoint-files'
import { openCheckpoint, parseShardIndex } from '../../checkpoint/checkpoint'
import { parseSafetensorsHeader } from '../../checkpoint/safetensors'
import { writeSafetensors } from '../../checkpoint/safetensors-writer'
import { checkPath } from '../../checkpoint/source'
import { parseStrictJson } from '../../checkpoint/strict-json'
import { memorySource, type FileContents } from '../../checkpoint/testing/memory-source'
import { op, stateDictPickle, tensorPiece, torchFile } from '../../checkpoint/testing/torch-file'
import { readTorchFile } from '../../checkpoint/torch-file'
import { readTorchPickle } from '../../checkpoint/torch-pickle'
import { parseConfigFile, type JsonObject } from '../../config-reader'
import { families } from '../../family'
import { blueprintSpecs } from '../../family/definition'
import { createCodecs } from '../../image/codecs'
import { decodeImage } from '../../image/decode'
import { readImageHeader } from '../../image/format'
import { decodeGif } from '../../image/gif'
import { readOrientation } from '../../image/orientation'
import { parseImageProcessor } from '../../image/processor'
import { Repositories } from '../../repositories'
import { JinjaTemplate } from '../../template/jinja'
import { Tokenizer } from '../../tokenizer'
import { openAnnotations } from '../../train/dataset/annotations'
import { openZip } from '../../train/dataset/zip-folder'
import { parseJsonRow } from '../../train/dataset/row'
import { parseTableRow, tableLayout } from '../../train/dataset/table'
import { accessOf, utf8, zipOf } from '../../train/dataset/testing/bytes'
import { importConnector } from '../../train/export/import'
import { parseOnnxConfig } from '../../vision/onnx-config'
import type { Target } from './judge'
import { jsonBytes, mutated, mutatedJson } from './mutation'

const root = new URL('../../../../', import.meta.url)
const bytesOf = (path: string) => new Uint8Array(readFileSync(new URL(path, root)))
const jsonOf = (path: string) => JSON.parse(readFileSync(new URL(path, root), 'utf8')) as JsonObject
const target = <T>(of: Target<T>) => of as Target

// Safetensors

const tensor = (name: string, shape: number[], dtype: 'F32' | 'BF16' | 'U8' = 'F32') => ({
  name,
  dtype,
  shape,
  data: new Uint8Array(shape.reduce((a, b) => a * b, { F32: 4, BF16: 2, U8: 1 }[dtype])),
})
const safetensors = [
  writeSafetensors([tensor('a', [2, 3]), tensor('b', [5], 'BF16')], { format: 'pt' }),
  writeSafetensors([tensor('model.layers.0.weight', [1]), tensor('empty', [0, 4]), tensor('scalar', [])]),
  writeSafetensors([]),
].map((parts) => new Uint8Array(Buffer.concat(parts)))

const headers = [
  {
    a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
    b: { dtype: 'U8', shape: [], data_offsets: [24, 25] },
  },
  { __metadata__: { format: 'pt' }, a: { dtype: 'F4', shape: [2, 4], data_offsets: [0, 4] } },
  {},
]
/** A file whose header is this JSON, with as many bytes behind as its offsets could mean. */
const asSafetensors = (header: unknown) => {
  const json = jsonBytes(header)
  const bytes = new Uint8Array(8 + json.length)
  new DataView(bytes.buffer).setUint32(0, json.length, true)
  bytes.set(json, 8)
  return bytes
}

// Torch files

const pickles = [
  stateDictPickle({
    w: tensorPiece({ storage: 'FloatStorage', numel: 6, shape: [2, 3] }),
    b: tensorPiece({ storage: 'HalfStorage', numel: 4, shape: [2], offset: 1, key: '1' }),
  }),
  stateDictPickle({ 'long name': [op.put(3), op.int(-1), op.long(2n ** 60n), op.tuple, op.get(3)] }),
]
const torchFiles = [
  torchFile(pickles[0]!, { '0': new Uint8Array(24), '1': new Uint8Array(8) }),
  torchFile(
    pickles[0]!,
    { '0': new Uint8Array(24), '1': new Uint8Array(8) },
    { isZip64: true, alignment: 1 },
  ),
]

// Pictures

const pictureFolder = 'src/model/image/golden/decode/'
const pictures = readdirSync(new URL(pictureFolder, root)).map((name) => bytesOf(pictureFolder + name))
const small = pictures.filter(({ length }) => length < 6000)
const gifs = small.filter((bytes) => bytes[0] === 0x47)
const codecs = createCodecs(nodeCodecLoader)

// Configs

const checkpoints = [
  ...['llava-clip-llama', 'llava-siglip-qwen2', 'lm-mistral', 'lm-phi3', 'lm-phi3-longrope'],
  ...[
    'original/cambrian-llama3',
    'original/cambrian-phi3',
    'original/cambrian-sva-unit',
    'original/llava-original',
  ],
].map((name) => jsonOf(`e2e/golden/${name}/checkpoint/config.json`))
const towers = [
  'vision-clip',
  'vision-convnext',
  'vision-dinov2',
  'vision-dinov2-swiglu',
  'vision-siglip',
].map((name) => jsonOf(`e2e/golden/${name}/checkpoint/config.json`))
const processors = [
  jsonOf('src/model/image/golden/reference/llava-clip-llama/preprocessor_config.json'),
  jsonOf('src/model/image/golden/reference/llava-siglip-qwen2/preprocessor_config.json'),
]
const onnxConfigs = [
  {
    model_type: 'onnx',
    file: 'e.onnx',
    image_size: 64,
    output: 'y',
    output_layout: 'nchw',
    output_size: 4,
    hidden_size: 8,
  },
  {
    ...{ model_type: 'onnx', file: 'e.onnx', image_size: 64, external_data: ['e.data'], engine: 'cpu' },
    outputs: [
      { name: 'a', layout: 'nhwc', size: 8, width: 4 },
      { name: 'b', layout: 'nhwc', size: 4, width: 4 },
    ],
  },
]

const tokenizerFolder = 'src/model/template/golden/tokenizers/phi3/'
const tokenizerConfig = jsonOf(`${tokenizerFolder}tokenizer_config.json`)
/** Few tokens, so that changes fall on everything else. */
const tokenizer = withFewTokens(jsonOf(`${tokenizerFolder}tokenizer.json`))

function withFewTokens(json: JsonObject): JsonObject {
  const model = json['model'] as JsonObject
  const vocab = Object.fromEntries(Object.entries(model['vocab'] as JsonObject).slice(0, 40))
  const merges = (model['merges'] as string[]).slice(0, 10)
  return { ...json, model: { ...model, vocab, merges } }
}

const templates = [
  '{% for m in messages %}<|{{ m.role }}|>{{ m["content"] | trim }}{{ eos_token }}{% endfor %}',
  '{% set ns = namespace(n=0) %}{% for m in messages if m.role != "x" %}{% set ns.n = ns.n + loop.index %}{% else %}y{% endfor %}{{ ns.n }}',
  '{% macro f(a, b=[1]) %}{{ a ~ b | join("-") }}{% endmacro %}{% call f(messages[0:1]) %}{% endcall %}{{ f(a="x" * 3) | replace("a", "b") }}',
  '{{ range(1, 5) | list | tojson(indent=2) }}{% if tools is defined and not none %}{{ {"a": 1}.items() | sort }}{% endif %}',
].map(utf8)

const datasets: readonly (readonly [name: string, content: string])[] = [
  [
    'a.json',
    '[{"id":"1","image":"a.jpg","conversations":[{"from":"human","value":"<image>\\nWhat?"},{"from":"gpt","value":"A \\"cat\\"."}]},\n{"image":["b.png"],"caption":"x"}]',
  ],
  [
    'a.jsonl',
    '{"image":"a.jpg","messages":[{"role":"user","content":"<image>"},{"role":"assistant","content":"yes"}]}\n\n{"id":NaN,"file":"b","text":"c"}\n',
  ],
  ['a.csv', 'id,image,caption\r\n1,a.jpg,"a, ""quoted""\nline"\r\n2,b.jpg,plain\r\n'],
  ['a.tsv', '\ufeffimage\tcaption\na.jpg\tone\n'],
]
const rows = datasets.map(([, content]) => utf8(content))
const zips = [
  await zipOf({ 'data.json': datasets[0]![1], 'img/a.jpg': 'x'.repeat(300), 'b.png': 'y' }),
  await zipOf({ 'data.csv': datasets[2]![1] }, { stored: () => true }),
]

const markdown = [
  '# a *b* **c** `d` [e](https://example.com "f") ![g](h) <i>j</i> <http://k.example>\n\n- l\n  1. m\n> n\n\n| o | p |\n|--|--|\n| q | r |',
  '```js\nx\n```\n[a][b]\n\n[b]: javascript:alert(1)\n\n~~s~~ &amp; \\* ___t___ [[[u](v)](w)](x)\n***\n    code',
].map(utf8)

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const connectorShapes = { 'linear_1.weight': { shape: [2, 3] }, 'linear_1.bias': { shape: [2] } }
const connectorFile = new Uint8Array(
  Buffer.concat(
    writeSafetensors([
      tensor('multi_modal_projector.linear_1.weight', [2, 3]),
      tensor('multi_modal_projector.linear_1.bias', [2], 'BF16'),
    ]),
  ),
)

/** Every reader of bytes that come from others. */
export const targets: readonly Target[] = [
  target({
    name: 'safetensors',
    runs: 20_000,
    inputs: mutated(safetensors),
    read: (bytes) => parseSafetensorsHeader(bytes, bytes.length, 'f'),
  }),
  target({
    name: 'safetensors header',
    runs: 8000,
    inputs: mutatedJson(headers).map(asSafetensors),
    read: (bytes) => parseSafetensorsHeader(bytes, bytes.length + 25, 'f'),
  }),
  target({
    name: 'strict JSON',
    runs: 24_000,
    inputs: mutated([...headers.map(jsonBytes), utf8('{"a\\u0041":[[[{}]]],"b":"\\"","c":{"a":1}}')]).map(
      text,
    ),
    read: (json) => parseStrictJson(json, 'f'),
  }),
  target({
    name: 'shard index',
    runs: 4000,
    inputs: mutatedJson([
      { metadata: { total_size: 3 }, weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } },
    ]),
    read: (json) => parseShardIndex(JSON.stringify(json) ?? '', 'f'),
  }),
  target({
    name: 'path',
    runs: 10_000,
    inputs: mutated(['a/b.safetensors', '../x', 'C:\\x', '/etc/x', 'a/./b', 'https://x'].map(utf8)).map(text),
    read: (path) => checkPath(path, 'f'),
  }),
  target({
    name: 'pickle',
    runs: 26_000,
    inputs: mutated(pickles),
    read: (bytes) => readTorchPickle(bytes, 'f'),
  }),
  target({
    name: 'torch file',
    runs: 1500,
    inputs: mutated(torchFiles),
    read: (bytes) => readTorchFile(memorySource({ f: bytes }), 'f', bytes.length, {}),
  }),
  target({
    name: 'checkpoint',
    runs: 400,
    inputs: mutated([...safetensors.slice(0, 2), ...torchFiles]),
    read: (bytes) =>
      openCheckpoint(memorySource({ 'model.safetensors': bytes, 'pytorch_model.bin': bytes }), {
        weightFiles: [bytes[0] === 0x50 ? 'pytorch_model.bin' : 'model.safetensors'],
      }),
  }),
  target({
    name: 'config of a model',
    runs: 1000,
    inputs: fc.tuple(mutatedJson(checkpoints), mutatedJson(towers, 1), mutatedJson(processors, 1)),
    read: ([config, tower, processor]) => blueprintOf(config, tower, processor),
  }),
  target({
    name: 'config of a tower',
    runs: 600,
    inputs: mutatedJson(towers),
    read: (config) => {
      const { text_config, vision_config } = checkpoints[0] as Record<string, JsonObject>
      return blueprintOf({
        ...checkpoints[0],
        text_config,
        vision_config: { ...vision_config, ...(config as object) },
      })
    },
  }),
  target({
    name: 'model folder',
    runs: 80,
    inputs: fc.tuple(mutatedJson(checkpoints.slice(0, 4)), mutatedJson(processors), mutated(safetensors)),
    read: ([config, processor, weights]) => openModel(memorySource(folderOf(config, processor, weights)), {}),
  }),
  target({
    name: 'config file',
    runs: 3000,
    inputs: mutated(checkpoints.map(jsonBytes)).map(text),
    read: (json) => parseConfigFile(json, 'f'),
  }),
  target({
    name: 'image processor',
    runs: 3000,
    inputs: mutatedJson(processors),
    read: (json) => parseImageProcessor(json),
  }),
  target({
    name: 'ONNX tower',
    runs: 1500,
    inputs: mutatedJson(onnxConfigs),
    read: (json) => isObject(json) && parseOnnxConfig(json, 'f:'),
  }),
  target({
    name: 'tokenizer',
    runs: 200,
    inputs: fc.tuple(mutatedJson([tokenizer], 2), mutatedJson([tokenizerConfig], 2)),
    read: ([json, config]) => tokenise(json, config),
  }),
  target({
    name: 'chat template',
    runs: 800,
    inputs: mutated(templates).map(text),
    read: (source) => chat(source),
  }),
  target({
    name: 'picture header',
    runs: 4000,
    inputs: mutated(small),
    read: (bytes) => readOrientation(bytes, readImageHeader(bytes).format),
  }),
  target({ name: 'GIF', runs: 500, maxMemory: 450, inputs: mutated(gifs), read: decodeGif }),
  target({
    name: 'picture',
    runs: 120,
    maxMemory: 900,
    inputs: mutated(small),
    read: (bytes) => decodeImage(bytes, codecs),
  }),
  target({
    name: 'row of JSON',
    runs: 3000,
    inputs: mutatedJson([
      {
        id: 1,
        image: 'a.jpg',
        conversations: [
          { from: 'human', value: '<image>' },
          { from: 'gpt', value: 'x' },
        ],
      },
      { file: 'a', caption: 'b' },
    ]),
    read: (json) => checkRow(parseJsonRow(JSON.stringify(json) ?? '', 0)),
  }),
  target({
    name: 'row of a table',
    runs: 2000,
    inputs: mutated(rows.slice(2)).map(text),
    read: (row) => checkRow(parseTableRow(row, 0, tableLayout(utf8('image,caption\n'), 'a.csv'))),
  }),
  target({
    name: 'file of rows',
    runs: 600,
    inputs: fc.tuple(fc.nat(datasets.length - 1), mutated(rows)),
    read: async ([name, bytes]) => {
      const found = await openAnnotations(accessOf(bytes), datasets[name]![0])
      for await (const batch of found.batches(undefined)) batch.forEach(checkRow)
    },
  }),
  target({
    name: 'zip of rows',
    runs: 200,
    inputs: mutated(zips),
    read: async (bytes) => {
      const folder = await openZip(accessOf(bytes), 'a.zip')
      for (const path of await folder.paths()) {
        if (/\.\.(\/|$)|^\//.test(path)) throw new Error(`leads out: ${path}`)
        const access = await folder.open(path)
        await access.read(0, access.sizeBytes)
        await folder.bytes(path)
      }
    },
  }),
  target({
    name: 'connector',
    runs: 120,
    inputs: mutated([connectorFile, ...torchFiles]),
    read: (bytes) => {
      const path = bytes[0] === 0x50 ? 'mm_projector.bin' : 'model.safetensors'
      return importConnector([{ path, file: new File([Uint8Array.from(bytes)], path) }], connectorShapes)
    },
  }),
  target({
    name: 'markdown',
    runs: 600,
    inputs: mutated(markdown).map(text),
    read: (said) => parseMarkdown(said),
  }),
]

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function folderOf(config: unknown, processor: unknown, weights: Uint8Array): FileContents {
  return {
    'config.json': jsonBytes(config),
    'preprocessor_config.json': jsonBytes(processor),
    'tokenizer.json': jsonBytes(tokenizer),
    'model.safetensors': weights,
  }
}

/** What a model's config describes, with the towers it refers to; their config is another's as well. */
async function blueprintOf(config: unknown, tower: unknown = towers[0], processor: unknown = processors[0]) {
  const json = parseConfigFile(JSON.stringify(config) ?? '', 'config.json')
  const type = json['model_type']
  if (typeof type !== 'string' || !Object.hasOwn(families, type)) return
  const family = await families[type as keyof typeof families]()
  const files = { 'config.json': jsonBytes(tower), 'preprocessor_config.json': jsonBytes(processor) }
  const resolve = () => memorySource(files)
  const repositories = new Repositories(memorySource(files), { resolve, base: memorySource(files) })
  const blueprint = await family.blueprint(json, { name: 'f', repositories })
  // Shapes are multiplied for the plan: none may be anything but a size.
  for (const [name, { shape }] of Object.entries(blueprintSpecs(blueprint))) {
    if (!shape.every((dim) => Number.isSafeInteger(dim) && dim > 0))
      throw new Error(`${name}: [${shape.join()}]`)
  }
}

function tokenise(json: unknown, config: unknown): void {
  const opened = tokenizerOf(json, config)
  const made = Tokenizer.from(opened)
  if (!made.hasChatTemplate) return
  made.decode(made.chat([{ role: 'user', text: 'What is <image> this? 12', images: 0 }]).ids)
}

function tokenizerOf(json: unknown, config: unknown): OpenedModel {
  const files = {
    'tokenizer.json': parseConfigFile(JSON.stringify(json) ?? '', 'tokenizer.json'),
    'tokenizer_config.json': parseConfigFile(JSON.stringify(config) ?? '', 'tokenizer_config.json'),
  }
  const source = memorySource({})
  return { source, files, jinjaTemplate: undefined, blueprint: {} } as unknown as OpenedModel
}

function chat(source: string): void {
  new JinjaTemplate(source).render({
    messages: [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Good\nday' },
    ],
    add_generation_prompt: true,
    eos_token: '</s>',
  })
}

function checkRow({ sample, problem }: ReturnType<typeof parseJsonRow>): void {
  const isSound = sample
    ? sample.conversations.every(({ from, value }) => typeof from === 'string' && typeof value === 'string')
    : typeof problem === 'string'
  if (!isSound) throw new Error('a row that is none')
}
