import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Encoder } from '../kernels'
import type { AskRequest } from './api'
import { describeTurn, golden, load, request } from './testing/asking'
import { sharedEngine } from './testing/engines'

/** What looking computes is compared on every adapter; what it leaves alone and refuses does not depend on that. */
const isSlow = process.env['TRILOBITE_ADAPTER'] === 'swiftshader'

/** Attention of transformers' eager LLaVA, in float32 on the CPU, on the picture's rows, averaged over heads and layers. */
const expected = JSON.parse(readFileSync(new URL('look.expected.json', import.meta.url), 'utf8')) as {
  turn: string
  tokens: Record<string, number[]>
}

const engine = sharedEngine()
beforeAll(async () => {
  await load(engine)
})
afterAll(() => engine.unload())

/** The second question of the same chat. */
function nextTurn(reply: string): AskRequest {
  const messages = [...request().messages]
  messages.push({ role: 'assistant', text: reply }, { role: 'user', text: 'And what is beside it?' })
  return { ...request({}, 12), messages }
}

/** A digest of all keys and values as they lie on the GPU. */
async function cacheDigest(): Promise<string> {
  const { conversation, vlm } = engine.loaded!
  const enc = new Encoder(vlm.gpu, vlm.arena, 'test')
  const hash = createHash('sha256')
  for (const { k, v } of conversation.caches) {
    for (const tensor of [k, v]) hash.update(new Uint8Array(await enc.readBytes(tensor)))
  }
  enc.end()
  return hash.digest('hex')
}

/** What the GPU is asked to do meanwhile. */
async function counted<T>(run: () => Promise<T>) {
  const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups')
  const map = vi.spyOn(GPUBuffer.prototype, 'mapAsync')
  try {
    await run()
    return { dispatches: dispatch.mock.calls.length, readbacks: map.mock.calls.length }
  } finally {
    dispatch.mockRestore()
    map.mockRestore()
  }
}

describe('where a word looks', () => {
  test.each(Object.entries(expected.tokens))('token %s is as PyTorch has it', async (token, rows) => {
    expect(describeTurn.name).toBe(expected.turn)
    const reply = await engine.ask(request(), () => {})
    expect(reply.tokenIds).toEqual(describeTurn.generated_ids)
    const { images } = await engine.look({ kind: 'word', tokens: [Number(token)] })
    expect(images).toHaveLength(1)
    const [look] = images
    expect(look).toMatchObject({ image: 0, rows: 6, columns: 6 })
    expect(look!.values).toBeClose(Float32Array.from(rows))
    const sum = rows.reduce((total, weight) => total + weight, 0)
    expect(look!.share).toBeCloseTo(sum, 4)
  })

  test('the grid lies on the part of the picture that the tower saw', async () => {
    await engine.ask(request({}, 3), () => {})
    const { images } = await engine.look({ kind: 'word', tokens: [1] })
    // 150 x 88 becomes 143 x 84, of which columns 29 to 113 stay.
    const { left, right, top, bottom } = images[0]!.region
    expect([left, right, top, bottom]).toBeClose([29 / 143, 113 / 143, 0, 1])
  })

  test('several tokens are averaged, each once', async () => {
    await engine.ask(request({}, 8), () => {})
    const of = async (tokens: number[]) => (await engine.look({ kind: 'word', tokens })).images[0]!.values
    const [one, two, both] = [await of([2]), await of([5]), await of([2, 5, 2])]
    expect(both).toBeClose(one.map((value, i) => (value + two[i]!) / 2))
  })

  test('of two pictures tells both', async () => {
    const two = golden.facts.turns.find(({ images }) => images.length === 2)
    const messages = two
      ? golden.messages(two)
      : [
          {
            role: 'user' as const,
            text: 'Compare.',
            images: [golden.image('image-wide.png'), golden.image('image-gray.png')],
          },
        ]
    await engine.ask({ ...request({}, 4), messages }, () => {})
    const { images } = await engine.look({ kind: 'word', tokens: [3] })
    expect(images.map(({ image }) => image)).toEqual([0, 1])
    const shares = images.map(({ share }) => share!)
    expect(Math.min(...shares)).toBeGreaterThan(0)
    expect(shares[0]! + shares[1]!).toBeLessThan(1)
    expect(images[0]!.values).not.toEqual(images[1]!.values)
  })
})

describe.skipIf(isSlow)('looking changes nothing', () => {
  test.each([[0], [1], [27]])('in the cache, token %s', async (token) => {
    await engine.ask(request(), () => {})
    const before = await cacheDigest()
    await engine.look({ kind: 'word', tokens: [token] })
    expect(await cacheDigest()).toEqual(before)
  })

  test('in the next turn, which reuses as much', async () => {
    const first = await engine.ask(request(), () => {})
    const plain = await engine.ask(nextTurn(first.text), () => {})
    await engine.unload()
    await load(engine)
    const again = await engine.ask(request(), () => {})
    for (const token of [0, 4, again.tokenIds.length - 1])
      await engine.look({ kind: 'word', tokens: [token] })
    const looked = await engine.ask(nextTurn(again.text), () => {})
    expect(looked).toMatchObject({ tokenIds: plain.tokenIds, reusedTokens: plain.reusedTokens })
    expect(looked.reusedTokens).toBeGreaterThanOrEqual(describeTurn.input_ids.length)
  })

  test('of a second turn, whose prompt was in part cached', async () => {
    const first = await engine.ask(request(), () => {})
    const second = await engine.ask(nextTurn(first.text), () => {})
    expect(second.reusedTokens).toBeGreaterThan(0)
    const before = await cacheDigest()
    const { images } = await engine.look({ kind: 'word', tokens: [0, 2] })
    expect(images[0]!.share).toBeGreaterThan(0)
    expect(await cacheDigest()).toEqual(before)
  })

  test('in what an answer costs, which has no part of it', async () => {
    await engine.ask(request(), () => {})
    const plain = await counted(() => engine.ask(request(), () => {}))
    const look = await counted(() => engine.look({ kind: 'word', tokens: [2] }))
    expect(look).toMatchObject({ readbacks: 1 })
    expect(look.dispatches).toBeGreaterThan(0)
    const { allocatedBytes } = await engine.gpuMemory()
    expect(await counted(() => engine.ask(request(), () => {}))).toEqual(plain)
    await engine.look({ kind: 'word', tokens: [2] })
    expect((await engine.gpuMemory()).allocatedBytes).toBe(allocatedBytes)
  })
})

describe.skipIf(isSlow)('is refused', () => {
  const refused = (message: RegExp) => ({
    name: 'ConfigError',
    message: expect.stringMatching(message) as string,
  })

  test('before any reply, and when the model has changed since', async () => {
    const fresh = sharedEngine()
    await expect(fresh.look({ kind: 'word', tokens: [0] })).rejects.toMatchObject(
      refused(/no model is loaded/),
    )
    await load(fresh)
    await expect(fresh.look({ kind: 'word', tokens: [0] })).rejects.toMatchObject(
      refused(/Ask a question first/),
    )
    await fresh.ask(request({}, 2), () => {})
    await load(fresh)
    await expect(fresh.look({ kind: 'word', tokens: [0] })).rejects.toMatchObject(
      refused(/Ask a question first/),
    )
    await fresh.unload()
  })

  test.each([[[]], [[-1]], [[3]], [[0.5]]])('for tokens %j of a reply of three', async (tokens) => {
    await engine.ask(request({}, 3), () => {})
    await expect(engine.look({ kind: 'word', tokens })).rejects.toMatchObject(refused(/tokens from 0 to 2/))
  })

  test('without a picture', async () => {
    await engine.ask({ ...request({}, 3), messages: [{ role: 'user', text: 'Hello' }] }, () => {})
    await expect(engine.look({ kind: 'word', tokens: [0] })).rejects.toMatchObject(
      refused(/without a picture/),
    )
  })

  test('for towers of a model that has one', async () => {
    await engine.ask(request({}, 3), () => {})
    await expect(engine.look({ kind: 'towers', image: 0 })).rejects.toMatchObject(
      refused(/several vision towers/),
    )
  })

  test('after a reply that ended before its first token', async () => {
    await engine.ask(request({}, 3), () => {})
    await expect(
      engine.ask({ ...request(), messages: [{ role: 'user', text: 'word '.repeat(900) }] }, () => {}),
    ).rejects.toMatchObject({ name: 'ContextOverflowError' })
    await expect(engine.look({ kind: 'word', tokens: [0] })).rejects.toMatchObject(
      refused(/Ask a question first/),
    )
  })
})
