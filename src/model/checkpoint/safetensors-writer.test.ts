import { describe, expect, test } from 'vitest'
import { CheckpointError } from '../errors'
import { parseSafetensorsHeader } from './safetensors'
import { layoutSafetensors, writeSafetensors, type TensorData } from './safetensors-writer'

function concat(chunks: Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]))
}

const bytes = (count: number, value: number) => new Uint8Array(count).fill(value)

describe('writeSafetensors', () => {
  test('writes the bytes that the Rust library writes', () => {
    // The library's own test_serialization and test_serialization_forced_alignement files.
    const plain = concat(
      writeSafetensors([{ name: 'attn.0', dtype: 'F32', shape: [1, 2, 3], data: bytes(24, 0) }]),
    )
    expect(Buffer.from(plain).toString('latin1')).toBe(
      '\x40\0\0\0\0\0\0\0{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}' + '\0'.repeat(24),
    )
    const padded = concat(
      writeSafetensors([{ name: 'attn0', dtype: 'F32', shape: [1, 1, 2, 3], data: bytes(24, 0) }]),
    )
    expect(Buffer.from(padded).toString('latin1')).toBe(
      '\x48\0\0\0\0\0\0\0{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}' +
        ' '.repeat(7) +
        '\0'.repeat(24),
    )
  })

  test('lays widest elements first, then by name in UTF-8 order, and reads back', () => {
    const tensors: TensorData[] = [
      { name: 'b', dtype: 'BF16', shape: [1], data: bytes(2, 1) },
      { name: '\u{1f41f}', dtype: 'U8', shape: [1], data: bytes(1, 2) },
      { name: '\uff5e', dtype: 'U8', shape: [1], data: bytes(1, 3) },
      { name: 'empty', dtype: 'F32', shape: [0, 4], data: bytes(0, 0) },
      { name: 'z', dtype: 'I64', shape: [], data: bytes(8, 4) },
      { name: 'a"\\\n', dtype: 'F32', shape: [2], data: bytes(8, 5) },
    ]
    const file = concat(writeSafetensors(tensors, { zeta: '1', alpha: 'é' }))
    const header = parseSafetensorsHeader(file, file.byteLength, 'w')
    expect(header.dataStart % 8).toBe(0)
    expect(header.metadata).toEqual({ alpha: 'é', zeta: '1' })
    // U+FF5E sorts before the fish in UTF-8, after it in UTF-16.
    expect(header.tensors.map(({ name }) => name)).toEqual([
      'z',
      'a"\\\n',
      'empty',
      'b',
      '\uff5e',
      '\u{1f41f}',
    ])
    for (const { name, start, end } of header.tensors) {
      expect([...file.subarray(start, end)]).toEqual([...tensors.find((t) => t.name === name)!.data])
    }
  })

  test('states the size of the file before any data exists', () => {
    const layout = layoutSafetensors([{ name: 'a', dtype: 'F16', shape: [3, 5] }])
    expect(layout.sizeBytes).toBe(layout.header.byteLength + 30)
    expect(parseSafetensorsHeader(layout.header, layout.sizeBytes, 'w').tensors).toHaveLength(1)
  })

  test.each<[string, TensorData[], string]>([
    [
      'data of another size',
      [{ name: 'a', dtype: 'F32', shape: [2], data: bytes(4, 0) }],
      'expected 8 bytes',
    ],
    [
      'a name twice',
      [
        { name: 'a', dtype: 'F32', shape: [0], data: bytes(0, 0) },
        { name: 'a', dtype: 'F16', shape: [0], data: bytes(0, 0) },
      ],
      'unique',
    ],
    ['the reserved name', [{ name: '__metadata__', dtype: 'F32', shape: [0], data: bytes(0, 0) }], 'unique'],
    ['half a surrogate pair', [{ name: '\ud800', dtype: 'F32', shape: [0], data: bytes(0, 0) }], 'Unicode'],
    [
      'a fraction in the shape',
      [{ name: 'a', dtype: 'F32', shape: [1.5], data: bytes(6, 0) }],
      'non-negative',
    ],
  ])('refuses %s', (_, tensors, message) => {
    expect(() => writeSafetensors(tensors)).toThrow(CheckpointError)
    expect(() => writeSafetensors(tensors)).toThrow(message)
  })
})
