import { describe, expect, test } from 'vitest'
import { CheckpointError } from '../errors'
import { parseSafetensorsHeader } from './safetensors'
import { seededRandom } from './testing/random'

/** A file from the text of its header and the size of its data. */
function file(header: string | Uint8Array, dataBytes = 0, lengthField?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + json.byteLength + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, lengthField ?? BigInt(json.byteLength), true)
  bytes.set(json, 8)
  return bytes
}

function parse(bytes: Uint8Array) {
  return parseSafetensorsHeader(bytes, bytes.byteLength, 'w.safetensors')
}

/** The header of one tensor named `test`. */
function one(shape: string, offsets: string, dtype = '"I32"'): string {
  return `{"test":{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}}`
}

describe('a well-formed header', () => {
  test('gives tensors in byte order with positions in the file', () => {
    const header =
      '{"__metadata__":{"format":"pt"},' +
      '"b":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]},' +
      '"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
    const { dataStart, metadata, tensors } = parse(file(header, 14))
    expect(dataStart).toBe(8 + header.length)
    expect(metadata).toEqual({ format: 'pt' })
    expect(tensors).toEqual([
      { name: 'a', dtype: 'F32', shape: [1, 2], file: 'w.safetensors', start: dataStart, end: dataStart + 8 },
      {
        name: 'b',
        dtype: 'BF16',
        shape: [3],
        file: 'w.safetensors',
        start: dataStart + 8,
        end: dataStart + 14,
      },
    ])
  })

  test('needs the bytes of the header only', () => {
    const whole = file(one('[2,2]', '[0,16]'), 16)
    const { tensors } = parseSafetensorsHeader(whole.subarray(0, -16), whole.byteLength, 'w')
    expect(tensors).toHaveLength(1)
  })

  test('reads a view that begins within a larger buffer', () => {
    const whole = file(one('[2,2]', '[0,16]'), 16)
    const padded = new Uint8Array(whole.byteLength + 3)
    padded.set(whole, 3)
    expect(parse(padded.subarray(3)).tensors[0]!.name).toBe('test')
  })

  test.each([
    ['no tensors', '{}', 0],
    ['padding after the JSON', '{}\r \t\n', 0],
    ['an empty tensor', one('[2,0]', '[0, 0]'), 0],
    ['a scalar', one('[]', '[0,4]'), 4],
    ['half-byte elements that fill bytes', one('[2,3]', '[0,3]', '"F4"'), 3],
    [
      'names with escapes and prototype keys',
      '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
    ],
  ])('may hold %s', (_, header, dataBytes) => {
    expect(() => parse(file(header, dataBytes))).not.toThrow()
  })

  test('keeps empty tensors between others, whatever their order in the JSON', () => {
    const header =
      '{"full":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},' +
      '"empty":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},' +
      '"last":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}'
    expect(parse(file(header, 4)).tensors.map(({ name }) => name)).toEqual(['empty', 'full', 'last'])
  })
})

describe('refused, as by the Rust library', () => {
  const overlapping = Array.from(
    { length: 10 },
    (_, i) => `"weight_${i}":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}`,
  )
  const sixteen = one('[2,2]', '[0,16]')
  test.each<[string, Uint8Array, string]>([
    ['json attack: tensors share bytes', file(`{${overlapping}}`, 16), 'overlap'],
    ['a gap', file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', 2), 'leave a gap'],
    ['bytes after the last tensor', file(sixteen, 16 + 34), 'do not trust the bytes at its end'],
    ['bytes missing at the end', file(sixteen, 14), 'cut short'],
    ['header too large', file(sixteen, 16, 0xffffff000000003cn), 'at most 100000000 bytes'],
    ['one byte above the cap', file(sixteen, 16, 100_000_001n), 'got a length field of 100000001'],
    ['header too small', new Uint8Array(0), 'at least 8 bytes, got 0'],
    ['seven bytes', new Uint8Array(7), 'at least 8 bytes, got 7'],
    ['a header longer than the file', file(new Uint8Array(0), 0, 60n), 'got a file of 8 bytes'],
    ['abuse attempt 1: length field grown', file(sixteen, 16, 1000n), 'expected a header of 1000 bytes'],
    ['no header', file(''), 'got nothing'],
    ['not UTF-8', file(new Uint8Array([0x7b, 0xff])), 'UTF-8'],
    ['not JSON', file('{'), 'expected JSON'],
    ['JSON that is no object', file('[]'), 'begins with "{"'],
    ['a byte order mark', file('\ufeff{}'), 'begins with "{"'],
    ['zero bytes as padding', file('{}\0\0'), 'expected JSON'],
    ['a second document', file('{}{}'), 'expected JSON'],
    ['invalid info: shape and bytes disagree', file(one('[2,2]', '[0, 4]'), 4), 'expected 16 bytes'],
    ['overflow of the shape', file(one('[2,18446744073709551614]', '[0,16]'), 16), 'from 0 to 2^53 - 1'],
    ['overflow of the byte count', file(one('[2,9007199254740991]', '[0,16]'), 16), 'below 2^53'],
    ['overflow hidden by a zero', file(one('[4503599627370496,4,0]', '[0,0]')), 'below 2^53'],
    ['offsets reversed', file(one('[0]', '[16,0]')), 'data_offsets'],
    ['a negative offset', file(one('[1]', '[-4,0]')), 'data_offsets'],
    ['half a byte', file(one('[3]', '[0,1]', '"F4"'), 1), 'whole number of bytes'],
    ['an unknown dtype', file(one('[1]', '[0,4]', '"F33"'), 4), 'got "F33"'],
    ['a dtype from the prototype', file(one('[1]', '[0,4]', '"toString"'), 4), 'got "toString"'],
    ['a dtype that is no string', file(one('[1]', '[0,4]', '32'), 4), 'got 32'],
    ['a fraction in the shape', file(one('[1.5]', '[0,6]'), 6), 'shape'],
    ['a negative dimension', file(one('[-1,-4]', '[0,16]'), 16), 'shape'],
    ['a negative zero', file(one('[-0]', '[0,0]')), 'shape'],
    ['a shape that is no array', file(one('4', '[0,16]'), 16), 'shape'],
    ['three offsets', file(one('[4]', '[0,16,16]'), 16), 'two integers'],
    ['a tensor that is null', file('{"a":null}'), 'got null'],
    ['missing fields', file('{"a":{"dtype":"F32"}}'), 'shape'],
    ['metadata with a number', file('{"__metadata__":{"a":1}}'), 'strings, got 1'],
    ['metadata that is no object', file('{"__metadata__":"pt"}'), 'object of strings'],
  ])('%s', (_, bytes, message) => {
    expect(() => parse(bytes)).toThrow(CheckpointError)
    expect(() => parse(bytes)).toThrow(message)
  })

  test('abuse attempts 2 and 3: a hundred thousand tensors on the same bytes, within a second or so', () => {
    const members = Array.from(
      { length: 100_000 },
      (_, i) => `"weight_${i}":{"dtype":"F32","shape":[200,200],"data_offsets":[0,160000]}`,
    )
    const bytes = file(`{${members}}`, 160_000)
    const started = performance.now()
    expect(() => parse(bytes)).toThrow('overlap')
    expect(performance.now() - started).toBeLessThan(5000)
  })

  test('deep nesting', () => {
    const nested = file(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)
    expect(() => parse(nested)).toThrow('at most 128 nested brackets')
  })
})

describe('stricter than the Rust library', () => {
  test.each([
    ['a tensor twice', '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}', '"a" twice'],
    ['a field twice', '{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}', '"dtype" twice'],
    ['a key twice by an escape', '{"__metadata__":{"\\u0061":"1","a":"2"}}', '"a" twice'],
    ['blanks before the header', ' {}', 'begins with "{", got byte 0x20'],
  ])('%s', (_, header, message) => {
    expect(() => parse(file(header))).toThrow(message)
  })
})

test('a Git LFS pointer is named as one', () => {
  const pointer = new TextEncoder().encode(
    'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n',
  )
  expect(() => parse(pointer)).toThrow('git lfs pull')
  expect(() => parse(new TextEncoder().encode('<!doctype html>'))).toThrow('begins with "<!doctyp"')
})

test('errors name the file', () => {
  expect(() => parse(file('['))).toThrow(/^w\.safetensors: /)
})

describe('mutated headers', () => {
  const source =
    '{"__metadata__":{"format":"pt","note":"\\u00e9\\n"},' +
    '"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},' +
    '"b.weight":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},' +
    '"empty":{"dtype":"I64","shape":[0,7],"data_offsets":[32,32]}}   '
  const good = file(source, 32)
  const snippets = [
    '"',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '0',
    '-',
    '9'.repeat(20),
    'e5',
    'null',
    '\\',
    '\ud800',
    '  ',
  ]

  test('are parsed consistently or refused by CheckpointError, never otherwise', () => {
    const random = seededRandom(20)
    const pick = (n: number) => Math.floor(random() * n)
    let refused = 0
    for (let round = 0; round < 4000; round++) {
      let bytes = good.slice()
      const edits = 1 + pick(3)
      for (let edit = 0; edit < edits; edit++) {
        const at = pick(bytes.byteLength)
        const kind = pick(5)
        if (kind === 0) bytes[at] = pick(256)
        else if (kind === 1) bytes[at]! ^= 1 << pick(8)
        else if (kind === 2) bytes = bytes.slice(0, at)
        else if (kind === 3)
          bytes = Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + 1 + pick(8))])
        else {
          const snippet = new TextEncoder().encode(snippets[pick(snippets.length)])
          bytes = Uint8Array.from([...bytes.slice(0, at), ...snippet, ...bytes.slice(at)])
        }
        // Half the time, the length field is put right, so that the edit reaches the JSON.
        const length = bytes.byteLength - 8 - 32
        if (length >= 0 && random() < 0.5) new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
      }
      try {
        const { dataStart, tensors } = parse(bytes)
        let at = dataStart
        for (const { start, end } of tensors) {
          expect(start).toBe(at)
          expect(end).toBeGreaterThanOrEqual(start)
          at = end
        }
        expect(at).toBe(bytes.byteLength)
      } catch (error) {
        expect(error, `round ${round}`).toBeInstanceOf(CheckpointError)
        refused++
      }
    }
    // Some edits change a name only, so not all are refused; but most must be.
    expect(refused).toBeGreaterThan(2000)
    expect(refused).toBeLessThan(4000)
  })
})
