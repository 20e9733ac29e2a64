import { afterAll, beforeAll, expect, test } from 'vitest'
import { Encoder, unpaddedGrid } from '../kernels'
import { GREEDY } from '../model/sampler'
import { OriginalCase } from '../model/testing/original'
import { conversationOf } from './testing/asking'
import { sharedEngine } from './testing/engines'

const golden = new OriginalCase('cambrian-phi3')
const turn = golden.facts.turns.find(({ images }) => images.length)!
const request = { messages: conversationOf(golden, turn), sampling: GREEDY, maxNewTokens: 6 }
const [picture] = request.messages.flatMap(({ images }) => images ?? [])

const engine = sharedEngine({ resolveRepository: golden.resolve })
beforeAll(async () => {
  await engine.loadFrom(golden.checkpoint, { dtype: 'f32', template: golden.facts.conv_mode }, () => {})
  await engine.ask(request, () => {})
})
afterAll(() => engine.unload())

/** The picture's cells in the grid that enters the prompt, and in the picture. */
function expectedGrid() {
  const { config } = engine.loaded!.opened
  const { width, height } = engine.loaded!.images!.known(picture!.id)!.size
  const side = Math.sqrt(config['image_token_len'] as number)
  return { area: unpaddedGrid(width, height, side), side, width, height }
}

async function firstKeys(): Promise<Float32Array> {
  const { vlm, conversation } = engine.loaded!
  const enc = new Encoder(vlm.gpu, vlm.arena, 'test')
  const keys = await enc.read(conversation.caches.at(-1)!.k)
  enc.end()
  return keys
}

test('a word looks at the cells of the picture, newlines left out', async () => {
  const { area, side, width, height } = expectedGrid()
  const before = await firstKeys()
  // The first token came with the picture, whose rows samplers refine on their way.
  for (const token of [0, 3]) {
    const { images } = await engine.look({ kind: 'word', tokens: [token] })
    const [look] = images
    expect(look).toMatchObject({ rows: area.rows, columns: area.columns })
    const sum = look!.values.reduce((total, value) => total + value, 0)
    expect(sum).toBeGreaterThan(0)
    // The rest fell on the newlines behind the rows.
    expect(sum).toBeLessThan(look!.share!)
    expect(look!.share).toBeLessThan(1)
  }
  expect(await firstKeys()).toEqual(before)

  const { images } = await engine.look({ kind: 'word', tokens: [3] })
  const { left, right, top, bottom } = images[0]!.region
  const cell = Math.max(width, height) / side
  // Of the padded square to fractions of the picture, whose bars may end inside a cell.
  expect((right - left) * width).toBeCloseTo(area.columns * cell, 3)
  expect((bottom - top) * height).toBeCloseTo(area.rows * cell, 3)
  for (const [from, to, length] of [
    [left, right, width],
    [top, bottom, height],
  ] as const) {
    expect(Math.abs(from) * length).toBeLessThan(cell + 1)
    expect(Math.abs(to - 1) * length).toBeLessThan(cell + 1)
  }
})

test('towers share every cell, by name', async () => {
  const { area } = expectedGrid()
  expect(engine.loaded!.vlm.connector!.shares).toBeDefined()
  const { images } = await engine.look({ kind: 'towers', image: 0 })
  const [look] = images
  expect(look!.towers).toEqual(engine.loaded!.plan.towers.map(({ name }) => name))
  const count = look!.towers!.length
  expect(look).toMatchObject({ image: 0, rows: area.rows, columns: area.columns })
  expect(look!.values).toHaveLength(area.rows * area.columns * count)
  const sums = Array.from({ length: area.rows * area.columns }, (_, at) =>
    look!.values.subarray(at * count, (at + 1) * count).reduce((sum, share) => sum + share, 0),
  )
  expect(sums).toBeClose(sums.map(() => 1))
  // They differ from tower to tower and from cell to cell.
  expect(new Set(look!.values).size).toBeGreaterThan(count)
  await expect(engine.look({ kind: 'towers', image: 1 })).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringMatching(/one of 1 pictures, got number 1/) as string,
  })
})

test('asks for no weights again where towers come and go, as the plan said they would', async () => {
  const fetched: string[] = []
  const options = { dtype: 'f32', template: golden.facts.conv_mode, memoryBytes: 1 } as const
  const planned = await engine.planFrom(golden.checkpoint, options)
  await engine.loadFrom(golden.checkpoint, options, () => {})
  expect(engine.loaded!.plan.towers).toEqual(planned.towers)
  expect(engine.loaded!.plan.towers.some(({ resident }) => !resident)).toBe(true)
  await engine.ask(request, (event) => {
    if (event.type === 'tower') fetched.push(event.name)
  })
  expect(fetched.length).toBeGreaterThan(0)
  const { vlm } = engine.loaded!
  const before = vlm.gpu.allocatedBytes
  await engine.look({ kind: 'towers', image: 0 })
  await engine.look({ kind: 'word', tokens: [1] })
  // Temporaries alone: no tower came.
  const smallest = Math.min(...engine.loaded!.plan.towers.map(({ gpuBytes }) => gpuBytes))
  expect(vlm.gpu.allocatedBytes - before).toBeLessThan(smallest)
})
