import { describe, expect, test } from 'vitest'
import { nodeCodecLoader } from '../../../cli/codecs-node'
import { TrilobiteError } from '../../../kernels/errors'
import { parseShardIndex } from '../../checkpoint/checkpoint'
import { parseSafetensorsHeader } from '../../checkpoint/safetensors'
import { assemble, op, stateDictPickle, tensorPiece, torchFile } from '../../checkpoint/testing/torch-file'
import { memorySource } from '../../checkpoint/testing/memory-source'
import { readTorchFile } from '../../checkpoint/torch-file'
import { readTorchPickle } from '../../checkpoint/torch-pickle'
import { parseConfigFile } from '../../config-reader'
import { createCodecs } from '../../image/codecs'
import { decodeImage } from '../../image/decode'
import { languageModels } from '../../language'
import { openAnnotations } from '../../train/dataset/annotations'
import { openDataset } from '../../train/dataset'
import { accessOf, utf8, zipOf } from '../../train/dataset/testing/bytes'
import { parseJsonRow } from '../../train/dataset/row'
import { openZip } from '../../train/dataset/zip-folder'

/** Small inputs that ask for much: each is refused in words, soon, and without the memory it asks for. */
async function refused(read: () => unknown, words: RegExp, maxMemory = 128): Promise<void> {
  const before = process.memoryUsage()
  const begun = process.cpuUsage()
  const error: unknown = await Promise.resolve()
    .then(read)
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  expect(error).toBeInstanceOf(TrilobiteError)
  expect((error as Error).message).toMatch(words)
  const { user, system } = process.cpuUsage(begun)
  expect((user + system) / 1e6, 'seconds').toBeLessThan(4)
  expect((heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers) / 2 ** 20).toBeLessThan(maxMemory)
}

/** A safetensors file of a header and as many bytes. */
function withHeader(json: string, dataBytes = 0): Uint8Array {
  const header = utf8(json)
  const bytes = new Uint8Array(8 + header.length + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true)
  bytes.set(header, 8)
  return bytes
}

const readHeader = (bytes: Uint8Array) => parseSafetensorsHeader(bytes, bytes.length, 'f')

describe('JSON', () => {
  const many = 4_000_000

  test('of brackets alone is never parsed', async () => {
    await refused(() => readHeader(withHeader(`{"a":${'['.repeat(many)}`)), /128 nested brackets/)
    await refused(() => parseConfigFile(`{"a":${'['.repeat(many)}`, 'tokenizer.json'), /128 nested brackets/)
    await refused(
      () => parseShardIndex(`{"weight_map":${'{"a":'.repeat(many / 4)}`, 'f'),
      /128 nested brackets/,
    )
  })

  test('of ten million values is never parsed', async () => {
    await refused(() => readHeader(withHeader(`{"a":[${'[],'.repeat(9_000_000)}[]]}`)), /8388608 values/, 160)
  })

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'a tensor or shard called %s is one as any other',
    (name) => {
      const json = `{"${name}":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`
      expect(readHeader(withHeader(json, 1)).tensors.map((tensor) => tensor.name)).toEqual([name])
      const { weightMap } = parseShardIndex(`{"weight_map":{"${name}":"a.safetensors"}}`, 'f')
      expect(weightMap.get(name)).toBe('a.safetensors')
    },
  )

  test.each(['__proto__', 'constructor', 'toString'])('%s is no dtype', async (dtype) => {
    await refused(
      () => readHeader(withHeader(`{"a":{"dtype":"${dtype}","shape":[],"data_offsets":[0,0]}}`)),
      /expected a dtype/,
    )
  })

  test.each(['constructor', '__proto__', 'toString'])('nobody called %s speaks in a row', (role) => {
    const row = parseJsonRow(JSON.stringify({ conversations: [{ from: role, value: 'x' }] }), 0)
    expect(row.problem).toMatch(/expected human or gpt/)
  })
})

describe('configs', () => {
  const configure = async (change: object) =>
    (await languageModels.llama()).configure({ ...change }, 'config.json:')

  test.each([
    [{ num_hidden_layers: 2 ** 53 - 1 }, /num_hidden_layers should be at most 1024/],
    [{ vocab_size: 2 ** 40 }, /vocab_size should be at most/],
    [{ hidden_size: 100, num_attention_heads: 3 }, /a multiple of num_attention_heads, 3/],
    [{ num_attention_heads: 32, num_key_value_heads: 5 }, /a multiple of num_key_value_heads, 5/],
    [{ partial_rotary_factor: 1e300 }, /partial_rotary_factor should be above 0 and at most 1/],
  ])('%o', (change, words) => refused(() => configure(change), words))
})

describe('pickles', () => {
  const read = (bytes: Uint8Array) => readTorchPickle(bytes, 'f')
  const filled = (code: string, count: number) => new Uint8Array(count).fill(code.charCodeAt(0))
  const list = (length: number) => [
    op.emptyList,
    op.put(0),
    op.mark,
    new Uint8Array(2 * length).fill(75),
    'e',
  ]

  test.each([
    ['dicts without end', filled('}', 4e6)],
    ['copies without end', assemble(op.none, filled('2', 4e6))],
    ['memories without end', assemble(op.none, filled('\x94', 4e6))],
    ['marks without end', filled('(', 4e6)],
  ])('%s', (_, bytes) => refused(() => read(bytes), /at most 1048576 steps/, 256))

  test('a list gone through again and again', () => {
    const pairs = [
      op.emptyList,
      op.put(0),
      op.mark,
      Array.from({ length: 3000 }, () => [op.str('a'), op.none, '\x86']),
      'e',
    ]
    const again = [op.global('collections', 'OrderedDict'), op.get(0), '\x85', op.reduce, '0']
    return refused(
      () =>
        read(
          assemble(
            pairs,
            Array.from({ length: 3000 }, () => again),
          ),
        ),
      /at most 1048576 steps/,
    )
  })

  test('a tensor of a thousand dimensions', () => {
    const shape = Array.from({ length: 1000 }, () => 1)
    return refused(
      () => read(stateDictPickle({ a: tensorPiece({ storage: 'FloatStorage', numel: 1, shape }) })),
      /64 dimensions/,
    )
  })

  test.each([
    ['BINUNICODE', assemble('X', [0xff, 0xff, 0xff, 0xff])],
    ['BINBYTES', assemble('B', [0xff, 0xff, 0xff, 0xff])],
    ['LONG1', assemble([0x8a, 0xff])],
    ['BINUNICODE8', assemble([0x8d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['LONG4', assemble([0x8b, 0xff, 0xff, 0xff, 0x7f])],
  ])('a %s longer than the file', (_, bytes) => refused(() => read(bytes), /opcode|bytes/))

  test('a list that holds itself is no state dict', () => {
    const bytes = torchFile(assemble(op.emptyList, op.put(0), op.get(0), op.append, op.stop), {})
    return refused(() => readTorchFile(memorySource({ f: bytes }), 'f', bytes.length, {}), /state dict/)
  })

  test('numbers in a list are no tensors', () => expect(read(assemble(list(3), op.stop))).toHaveLength(3))
})

describe('pictures that say they are large', () => {
  const decode = (bytes: Uint8Array) => decodeImage(bytes, createCodecs(nodeCodecLoader))
  const wide = 9999

  test('PNG', () => {
    const bytes = assemble(
      '\x89PNG\r\n\x1a\n',
      [0, 0, 0, 13],
      'IHDR',
      [0, 0, 0x27, 0x0f, 0, 0, 0x27, 0x0f, 8, 6, 0, 0, 0, 0, 0, 0, 0],
    )
    return refused(() => decode(assemble(bytes, [0, 0, 0, 0], 'IEND', [0xae, 0x42, 0x60, 0x82])), /cut short/)
  })

  test('JPEG', () => {
    const frame = [0xff, 0xc0, 0, 11, 8, wide >> 8, wide & 255, wide >> 8, wide & 255, 1, 1, 0x11, 0]
    return refused(() => decode(assemble([0xff, 0xd8], frame, [0xff, 0xd9])), /cut short/)
  })

  test('GIF', () => {
    const size = [wide & 255, wide >> 8, wide & 255, wide >> 8]
    return refused(
      () => decode(assemble('GIF89a', size, [0, 0, 0], [0x2c, 0, 0, 0, 0], size, [0, 8, 1, 0, 0])),
      /cut short/,
    )
  })

  test.each([
    ['an SVG drawing', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', /SVG/],
    ['SVG behind a comment', '<!-- --><svg onload="alert(1)"/>', /SVG/],
    ['a page that begins as a GIF', 'GIF89a/*<script>alert(1)</script>*/=1', /cut short|damaged|megapixels/],
    ['a page', '<!doctype html><script>alert(1)</script>', /web page/],
  ])('%s is refused', (_, text, words) => refused(() => decode(utf8(text)), words))
})

describe('data', () => {
  test('a zip whose entries say they hold more than they can', async () => {
    const zip = await zipOf({ 'a.jpg': 'x'.repeat(1000) })
    const at = Buffer.from(zip).lastIndexOf('PK\x01\x02')
    new DataView(zip.buffer).setUint32(at + 24, 60e6, true)
    const folder = await openZip(accessOf(zip), 'a.zip')
    await refused(() => folder.bytes('a.jpg'), /says it holds more than its bytes can/, 16)
  })

  test('a zip that leads out of its folder', async () => {
    const zip = await zipOf({
      '../../a.json': '[]',
      '/etc/b.json': '[]',
      'c:\\d.json': '[]',
      'e.json': '[]',
      'x/../../f': '',
    })
    expect(await (await openZip(accessOf(zip), 'a.zip')).paths()).toEqual(
      expect.not.arrayContaining([expect.stringMatching(/\.\.|^\/|:/)]),
    )
  })

  test('a zip with a password', async () => {
    const zip = await zipOf({ 'data.json': '[{}]' }, { password: 'x' })
    await refused(() => openDataset({ kind: 'zip', file: new Blob([zip]), name: 'a.zip' }), /encrypted/)
  })

  test('a file of more rows than there is memory for their places', async () => {
    const piece = utf8('1\n'.repeat(1 << 19))
    const endless = {
      sizeBytes: 2 ** 40,
      read: async (start: number, end: number) => piece.subarray(0, end - start),
    }
    await refused(() => openAnnotations({ ...endless }, 'a.csv'), /more than 16777216 rows/, 700)
  })

  test('a row of brackets alone is one that is broken', async () => {
    const rows = await openAnnotations(accessOf(utf8(`{"a":1}\n${'['.repeat(3e6)}\n`)), 'a.jsonl')
    expect((await rows.read(1)).problem).toMatch(/JSON/)
  })
})
