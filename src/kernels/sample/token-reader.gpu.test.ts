import { create } from 'webgpu'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeviceLostError, SelfTestError } from '../errors'
import { openGpu, type Gpu } from '../gpu/device'
import { Encoder } from '../gpu/encoder'
import { Arena, uploadTensor } from '../gpu/memory'
import '../testing/gpu' // WebGPU's constants in Node
import type { Tensor } from '../tensor'
import { sampleToken } from './sample'
import { TokenReader } from './token-reader'

const greedy = { temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1, seed: 0, step: 0 }
const instance = create([])
let gpu: Gpu
let arena: Arena
let enc: Encoder
let tokens: Tensor

beforeAll(async () => {
  gpu = await openGpu(instance)
  arena = new Arena(gpu)
  enc = new Encoder(gpu, arena, 'token reader test')
  tokens = uploadTensor(gpu, 'tokens', [64], new Uint32Array(64))
})
afterAll(() => gpu.destroy())

/** A step that chooses `id` by its logit. */
function step(length: number, id: number, value = 9): Tensor {
  const logits = new Float32Array(100)
  logits[id] = value
  return sampleToken(enc, uploadTensor(gpu, 'logits', [100], logits), tokens, { ...greedy, length })
}

describe('token reader', () => {
  test('resolves ids in order with several steps in flight, reusing its slots', async () => {
    const reader = new TokenReader(gpu, 3)
    const ids: number[] = []
    for (let i = 0; i < 20; i++) {
      reader.request(enc, tokens, i, step(i, (i * 37) % 100))
      expect(reader.inFlight).toBeLessThanOrEqual(3)
      if (reader.inFlight === 3) ids.push(await reader.next())
    }
    while (reader.inFlight) ids.push(await reader.next())
    expect(ids).toEqual(Array.from({ length: 20 }, (_, i) => (i * 37) % 100))
    enc.end()
    await gpu.check()
    reader.destroy()
  })

  test('gives the value a token had when it was asked for', async () => {
    const reader = new TokenReader(gpu)
    reader.request(enc, tokens, 0, step(0, 1))
    reader.request(enc, tokens, 0, step(0, 2))
    expect([await reader.next(), await reader.next()]).toEqual([1, 2])
    reader.destroy()
  })

  test('drops the steps begun past the end of a reply', async () => {
    const reader = new TokenReader(gpu, 2)
    reader.request(enc, tokens, 0, step(0, 1))
    reader.request(enc, tokens, 1, step(1, 2))
    await reader.discard()
    expect(reader.inFlight).toBe(0)
    reader.request(enc, tokens, 2, step(2, 3))
    expect(await reader.next()).toBe(3)
    reader.destroy()
  })

  test('rejects where the logits hold NaN, and goes on', async () => {
    const reader = new TokenReader(gpu, 1)
    reader.request(enc, tokens, 7, step(7, 4, NaN))
    const failed = reader.next()
    await expect(failed).rejects.toThrow(SelfTestError)
    await expect(failed).rejects.toThrow(
      'sample: no token can be chosen at position 7: the logits hold NaN (not a number)',
    )
    reader.request(enc, tokens, 7, step(7, 4))
    expect(await reader.next()).toBe(4)
    reader.destroy()
  })

  test('says what is wrong with calls out of turn', async () => {
    const reader = new TokenReader(gpu, 1)
    await expect(reader.next()).rejects.toThrow('token-reader: next() without a request')
    expect(() => reader.request(enc, tokens, 64)).toThrow('token-reader: index 64 lies outside tokens [64]')
    reader.request(enc, tokens, 0)
    expect(() => reader.request(enc, tokens, 0)).toThrow('token-reader: all 1 slots are in flight')
    await reader.next()
    const before = gpu.allocatedBytes
    reader.destroy()
    reader.destroy()
    expect(gpu.allocatedBytes).toBe(before - 16)
    expect(() => reader.request(enc, tokens, 0)).toThrow('token-reader: request after destroy')
  })

  test('a lost device rejects what is in flight and what comes after', async () => {
    const other = await openGpu(instance)
    const otherArena = new Arena(other)
    const otherEnc = new Encoder(other, otherArena, 'lost')
    const otherTokens = uploadTensor(other, 'tokens', [4], new Uint32Array(4))
    const reader = new TokenReader(other)
    reader.request(otherEnc, otherTokens, 0)
    reader.request(otherEnc, otherTokens, 1)
    other.device.destroy()
    await other.lost
    const outcomes = await Promise.allSettled([reader.next(), reader.next()])
    // A copy that had reached the host before the loss may still be told.
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(DeviceLostError)
    }
    expect(() => reader.request(otherEnc, otherTokens, 0)).toThrow(DeviceLostError)
    reader.destroy()
  })
})
