import { describe, expect, test } from 'vitest'
import { CheckpointError } from '../errors'
import { openCheckpoint } from './checkpoint'
import type { TensorEntry } from './safetensors'
import { streamTensors } from './stream-tensors'
import { memorySource } from './testing/memory-source'
import { seededRandom } from './testing/random'
import {
  assemble,
  op,
  stateDictPickle,
  tensorPiece,
  torchFile,
  zipFile,
  type Piece,
  type ZipOptions,
} from './testing/torch-file'

const bytes = (length: number, from = 0) => Uint8Array.from({ length }, (_, i) => (from + i) & 255)
const open = (file: Uint8Array) => openCheckpoint(memorySource({ 'pytorch_model.bin': file }))

const tensors = {
  'a.weight': tensorPiece({ storage: 'HalfStorage', numel: 6, shape: [2, 3], key: '0' }),
  'b.weight': tensorPiece({ storage: 'FloatStorage', numel: 5, shape: [], offset: 3, key: '1' }),
  'b.tied': tensorPiece({ storage: 'FloatStorage', numel: 5, shape: [1, 5], strides: [99, 1], key: '1' }),
}
const storages = { 0: bytes(12), 1: bytes(20, 100) }

/** Every tensor's bytes as the stream delivers them. */
async function contents(file: Uint8Array) {
  const checkpoint = await open(file)
  const found: Record<string, { dtype: string; shape: readonly number[]; data: number[] }> = {}
  await streamTensors(checkpoint, {
    chunkBytes: (entry: TensorEntry) => entry.end - entry.start,
    write: ({ name, dtype, shape }, _, data) => void (found[name] = { dtype, shape, data: [...data] }),
  })
  return found
}

describe('a file of torch.save', () => {
  test.each<[string, ZipOptions]>([
    ['as PyTorch writes it', {}],
    ['with 64-bit offsets', { isZip64: true }],
    ['without padding', { alignment: 1 }],
    ['without padding and descriptors', { alignment: 1, hasDescriptors: false }],
    ['padded to another boundary', { alignment: 16 }],
  ])('is served tensor by tensor, %s', async (_, options) => {
    expect(await contents(torchFile(stateDictPickle(tensors), storages, options))).toEqual({
      'a.weight': { dtype: 'F16', shape: [2, 3], data: [...bytes(12)] },
      'b.weight': { dtype: 'F32', shape: [], data: [...bytes(4, 112)] },
      'b.tied': { dtype: 'F32', shape: [1, 5], data: [...bytes(20, 100)] },
    })
  })

  test('needs no request for each tensor', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [
        `t${i}`,
        tensorPiece({ storage: 'BFloat16Storage', numel: 4_000, shape: [4_000], key: `${i}` }),
      ]),
    )
    const data = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${i}`, bytes(8_000, i)]))
    const source = memorySource({ 'pytorch_model.bin': torchFile(stateDictPickle(many), data) })
    const checkpoint = await openCheckpoint(source)
    expect(checkpoint.tensors.size).toBe(50)
    expect(source.requests.length).toBeLessThan(8)
  })

  test('may wrap its state dict and carry metadata and plain values', async () => {
    const pickle = assemble(
      op.proto(),
      op.emptyDict,
      op.str('epoch'),
      op.int(3),
      op.setItem,
      op.str('state_dict'),
      [op.global('collections', 'OrderedDict'), op.emptyTuple, op.reduce, op.put(0)],
      op.mark,
      op.str('w'),
      [
        op.global('torch._utils', '_rebuild_parameter'),
        [op.mark, tensors['a.weight'], op.true, op.none, op.tuple],
        op.reduce,
      ],
      op.setItems,
      [op.emptyDict, op.str('_metadata'), op.emptyDict, op.setItem, op.build],
      op.setItem,
      op.stop,
    )
    expect([...(await open(torchFile(pickle, storages))).tensors.keys()]).toEqual(['w'])
  })

  test('may be written with protocol 4', async () => {
    const byStack = (module: string, name: string): Piece => [
      [0x8c, module.length, module],
      0x94,
      [0x8c, name.length, name],
      op.stackGlobal,
    ]
    const pickle = assemble(
      op.proto(4),
      [0x95, new Uint8Array(8)],
      op.emptyDict,
      [0x8c, 1, 'w'],
      byStack('torch._utils', '_rebuild_tensor_v3'),
      op.mark,
      [
        [op.mark, op.str('storage'), byStack('torch.storage', 'UntypedStorage'), op.str('0'), op.str('cpu')],
        [op.long(12n), op.tuple, op.persid],
      ],
      [op.int(0), op.mark, op.int(3), op.tuple, op.mark, op.int(1), op.tuple, op.false, op.none],
      byStack('torch', 'float8_e5m2'),
      [op.tuple, op.reduce, op.setItem, op.stop],
    )
    expect((await open(torchFile(pickle, storages))).tensors.get('w')).toMatchObject({
      dtype: 'F8_E5M2',
      shape: [3],
    })
  })
})

const refuse = async (file: Uint8Array, message: string) => {
  const opening = open(file)
  await expect(opening).rejects.toThrow(message)
  await expect(opening).rejects.toBeInstanceOf(CheckpointError)
}

describe('a hostile pickle', () => {
  const call = (module: string, name: string, ...args: Piece[]): Piece => [
    op.global(module, name),
    op.mark,
    args,
    op.tuple,
    op.reduce,
  ]
  const withValue = (value: Piece) => stateDictPickle({ x: value })

  test.each<[string, Uint8Array, string]>([
    ['os.system', withValue(call('os', 'system', op.str('true'))), '"os.system"'],
    ['posix.system', withValue(call('posix', 'system', op.str('true'))), '"posix.system"'],
    ['eval', withValue(call('builtins', 'eval', op.str('1'))), '"builtins.eval"'],
    [
      'an unknown storage',
      withValue(tensorPiece({ storage: 'QUInt8Storage', numel: 1, shape: [1] })),
      'QUInt8Storage',
    ],
    ['a call of a storage', withValue(call('torch', 'FloatStorage')), 'a call of torch.FloatStorage'],
    ['a prototype', withValue(op.global('torch', '__proto__')), '"torch.__proto__"'],
    ['new objects', withValue([op.global('torch', 'FloatStorage'), op.emptyTuple, op.newobj]), 'opcode 0x81'],
    ['extension codes', withValue([0x82, 1]), 'opcode 0x82'],
    ['INST', withValue('(ios\nsystem\n'), 'opcode 0x69'],
    ['text persistent ids', withValue('Pfoo\n'), 'opcode 0x50'],
    ['a persistent id of another kind', withValue([op.str('x'), op.persid]), 'a list or tuple'],
    ['a state for a list', withValue([op.emptyList, op.emptyDict, op.build]), 'expected a dict'],
    ['a key that is a list', assemble(op.emptyDict, op.emptyList, op.none, op.setItem, op.stop), 'as key'],
    ['negative sizes', withValue(tensorPiece({ storage: 'HalfStorage', numel: 6, shape: [-1] })), 'a size'],
    ['nothing remembered', withValue(op.get(7)), 'remembered under 7'],
    ['an empty stack', assemble('00', op.stop), 'a value on the stack'],
    ['an item too few', assemble(op.emptyDict, op.mark, op.str('a'), op.setItems, op.stop), 'as key'],
    ['no end', assemble(op.proto(), op.emptyDict), 'expected 4 bytes, got 3'],
    ['text beyond the end', assemble(op.proto(), 'X', new Uint8Array([255, 255, 255, 255])), 'bytes, got'],
    ['text that is no UTF-8', assemble('U', 1, 0xff, op.stop), 'UTF-8'],
    ['no tensors', assemble(op.emptyDict, op.stop), 'expected a state dict'],
    ['a bare tensor', assemble(tensors['a.weight'], op.stop), 'expected a state dict'],
  ])('is refused: %s', (_, pickle, message) => refuse(torchFile(pickle, storages), message))

  test('may nest as deep as it likes', async () => {
    const depth = 200_000
    const nested = assemble(
      op.emptyDict,
      op.str('x'),
      ']'.repeat(depth),
      'a'.repeat(depth - 1),
      op.setItem,
      op.stop,
    )
    await refuse(torchFile(nested, storages), 'expected a state dict')
  })

  test.each<[string, Piece, string]>([
    [
      'a transposed tensor',
      tensorPiece({ storage: 'HalfStorage', numel: 6, shape: [3, 2], strides: [1, 3] }),
      'strides [1, 3]',
    ],
    [
      'a tensor larger than its storage',
      tensorPiece({ storage: 'HalfStorage', numel: 7, shape: [7] }),
      'a storage of 12',
    ],
    [
      'an offset past its storage',
      tensorPiece({ storage: 'HalfStorage', numel: 6, shape: [6], offset: 1 }),
      'bytes 2 to 14',
    ],
    [
      'a storage that is not there',
      tensorPiece({ storage: 'HalfStorage', numel: 6, shape: [6], key: '../0' }),
      'data/../0',
    ],
    [
      'more elements than 2^53',
      tensorPiece({ storage: 'HalfStorage', numel: 6, shape: [2 ** 30, 2 ** 30] }),
      'x: expected',
    ],
  ])('is refused: %s', (_, piece, message) => refuse(torchFile(withValue(piece), storages), `${message}`))
})

describe('a hostile archive', () => {
  const good = torchFile(stateDictPickle(tensors), storages)
  /** Overwrites bytes of a file, counted from its end where negative. */
  const patch = (at: number, ...values: number[]) => {
    const copy = good.slice()
    copy.set(values, at < 0 ? copy.length + at : at)
    return copy
  }
  const directory = new DataView(good.buffer).getUint32(good.length - 6, true)

  test.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'a zip archive'],
    ['text', new TextEncoder().encode('<html>404</html>'), 'zip archive'],
    ['a Git LFS pointer', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1'), 'Git LFS'],
    [
      'the format before PyTorch 1.6',
      assemble([0x80, 2, 0x8a, 10], '\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.', new Uint8Array(64)),
      'before 1.6',
    ],
    ['a file cut short', good.slice(0, good.length - 1), 'directory'],
    ['compression', torchFile(stateDictPickle(tensors), storages, { method: 8 }), 'compressed (method 8)'],
    ['encryption', torchFile(stateDictPickle(tensors), storages, { flags: 1 }), 'encrypted'],
    ['a directory behind the end', patch(-6, 255, 255, 255, 0), 'a directory of'],
    ['more entries than the directory holds', patch(-12, 200, 0), 'a directory of 200'],
    ['entries on the same bytes', patch(directory + 42 + 46 + 10, 0, 0, 0, 0), 'do not fit'],
    [
      'an entry behind the directory',
      patch(directory + 20, 255, 255, 255, 0, 255, 255, 255, 0),
      'do not fit',
    ],
    ['a broken local header', patch(0, 0, 0), 'local header'],
    ['no pickle', zipFile({ 'm/x': bytes(3) }), 'one data.pkl'],
    ['two pickles', zipFile({ 'a/data.pkl': bytes(3), 'b/data.pkl': bytes(3) }), 'one data.pkl'],
    [
      'big-endian weights',
      zipFile({ 'm/data.pkl': stateDictPickle(tensors), 'm/byteorder': new TextEncoder().encode('big') }),
      'little-endian',
    ],
  ])('is refused: %s', (_, file, message) => refuse(file, message))

  test('never leads outside itself, however its bytes are changed', async () => {
    const random = seededRandom(7)
    for (let round = 0; round < 400; round++) {
      const file = good.slice()
      for (let i = 0; i < 3; i++) file[Math.floor(random() * file.length)] = Math.floor(random() * 256)
      try {
        for (const { start, end } of (await open(file)).tensors.values()) {
          expect(start).toBeGreaterThanOrEqual(0)
          expect(end).toBeGreaterThanOrEqual(start)
          expect(end).toBeLessThanOrEqual(file.length)
        }
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error
      }
    }
  })
})
