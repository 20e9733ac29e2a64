import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { DiskSource } from '../cli/disk-source'
import { nodeCodecLoader } from '../cli/codecs-node'
import { Encoder } from '../kernels'
import { createCodecs } from '../model/image/codecs'
import { ImageFeatures, type PictureFile } from '../model/image-features'
import type { MemoryPlan } from '../model/plan'
import type { PromptImage } from '../model/prompt'
import { Towers } from '../model/towers'
import type { VisionTower } from '../model/vision/definition'
import type { Vlm } from '../model/vlm'
import type { Engine } from './engine'
import { sharedEngine } from './testing/engines'
import { GoldenCase } from './testing/golden'

/** Absolute, as the reference's README suggests for a float32 engine. */
const FEATURE_TOLERANCE = { atol: 5e-4, rtol: 0 }

const never = new AbortController().signal

// Nothing here depends on the language model, whose kernels SwiftShader takes seconds to compile.
const CASES =
  process.env['TRILOBITE_ADAPTER'] === 'swiftshader'
    ? ['llava-clip-llama']
    : ['llava-clip-llama', 'llava-siglip-qwen2']

describe.each(CASES)('pictures of one question, %s', (name) => {
  const golden = new GoldenCase(name)
  const pictures = ['image-wide.png', 'image-gray.png', 'image-rgba.png'].map((key): PictureFile => ({
    key,
    bytes: async () => golden.imageBytes(key),
  }))
  let engine: Engine
  const made: ImageFeatures[] = []
  beforeAll(async () => {
    engine = sharedEngine()
    await engine.loadFrom(new DiskSource(golden.checkpoint), { dtype: 'f32' }, () => {})
  })
  afterAll(() => engine.unload())
  afterEach(() => {
    for (const images of made.splice(0)) images.destroy()
    vi.restoreAllMocks()
  })

  /** Features of an engine that holds none yet. `spareBytes`: for pictures beyond the first. */
  function fresh(changes: Partial<MemoryPlan> = {}, vlm = engine.loaded!.vlm): ImageFeatures {
    const { opened, plan } = engine.loaded!
    const images = new ImageFeatures(vlm, opened.processors, createCodecs(nodeCodecLoader), {
      ...plan,
      ...changes,
    })
    made.push(images)
    return images
  }

  async function read(encoded: readonly PromptImage[]): Promise<Float32Array[]> {
    const { gpu, arena } = engine.loaded!.vlm
    const enc = new Encoder(gpu, arena, 'test')
    const values = []
    for (const { features } of encoded) values.push(await enc.read(features))
    return values
  }

  /** Each picture in a question of its own. */
  async function alone(): Promise<Float32Array[]> {
    const images = fresh()
    const encoded = []
    for (const picture of pictures) encoded.push(...(await images.encode([picture], never)))
    return read(encoded)
  }

  const batches = () => vi.spyOn(engine.loaded!.vlm.towers.at(0)!, 'features')
  const sizes = (seen: ReturnType<typeof batches>) => seen.mock.calls.map(([, { shape }]) => shape[0])

  test('have the features of each alone, in fewer dispatches', async () => {
    const dispatch = vi.spyOn(Encoder.prototype, 'dispatch')
    const want = await alone()
    const each = dispatch.mock.calls.length
    dispatch.mockClear()
    const seen = batches()
    const got = await read(await fresh().encode(pictures, never))
    expect(sizes(seen)).toEqual([3])
    expect(dispatch.mock.calls.length).toBeLessThan(0.6 * each)
    for (const [i, values] of got.entries()) {
      expect(values).toBeClose(want[i]!, FEATURE_TOLERANCE)
      expect(values).not.toEqual(want[(i + 1) % 3])
    }
  })

  test('are seen one by one where the budget leaves nothing to spare', async () => {
    const seen = batches()
    const images = fresh({ spareBytes: 0 })
    const shares: number[] = []
    const encoded = await images.encode(pictures, never, { onShare: (share) => shares.push(share) })
    expect(sizes(seen)).toEqual([1, 1, 1])
    expect(shares).toEqual([0, 0, 1 / 3, 2 / 3])
    const want = await alone()
    for (const [i, values] of (await read(encoded)).entries()) {
      expect(values).toBeClose(want[i]!, FEATURE_TOLERANCE)
    }
  })

  test('bring a tower that does not stay once, however many batches they make', async () => {
    const { vlm } = engine.loaded!
    const { gpu, arena, weights, towers } = vlm
    const seen: number[] = []
    let loads = 0
    let freed = 0
    const staged = new Towers(towers.blueprints, weights, gpu, arena, {
      isResident: () => false,
      async load(index) {
        loads++
        const own = towers.at(index)!
        const tower: VisionTower = {
          features(enc, pixels) {
            expect(freed).toBeLessThan(loads)
            seen.push(pixels.shape[0]!)
            return own.features(enc, pixels)
          },
        }
        return { tower, free: () => void freed++ }
      },
    })
    const host = Object.create(vlm, { towers: { value: staged } }) as Vlm
    const images = fresh({}, host)
    await images.encode(pictures, never)
    expect({ loads, freed, seen }).toEqual({ loads: 1, freed: 1, seen: [3] })
    await images.encode(pictures, never)
    expect(loads).toBe(1)
    await fresh({ spareBytes: 0 }, host).encode(pictures, never)
    expect({ loads, freed, seen }).toEqual({ loads: 2, freed: 2, seen: [3, 1, 1, 1] })
  })

  test('one that stands in it twice is seen once, and one that is known not at all', async () => {
    const [wide, gray] = pictures as [PictureFile, PictureFile]
    const images = fresh()
    const [known] = await images.encode([wide], never)
    const seen = batches()
    const encoded = await images.encode([gray, wide, gray], never)
    expect(sizes(seen)).toEqual([1])
    expect(encoded.map(({ key }) => key)).toEqual([gray.key, wide.key, gray.key])
    expect(encoded[1]!.features).toBe(known!.features)
    expect(encoded[0]!.features).toBe(encoded[2]!.features)
  })

  test('a file that is no picture is named before any tower runs, and costs the others nothing', async () => {
    const [wide, gray] = pictures as [PictureFile, PictureFile]
    const words: PictureFile = { key: 'words', bytes: async () => new TextEncoder().encode('just words') }
    const images = fresh()
    await images.encode([wide], never)
    const { gpu } = engine.loaded!.vlm
    const before = gpu.allocatedBytes
    const seen = batches()
    await expect(images.encode([wide, gray, words], never)).rejects.toMatchObject({
      name: 'ImageError',
      message: expect.stringMatching(/^picture 3 of 3: decode image: /) as string,
    })
    expect(sizes(seen)).toEqual([])
    expect(gpu.allocatedBytes).toBe(before)
    expect([wide, gray, words].map(({ key }) => images.has(key))).toEqual([true, false, false])
    await images.encode([wide, gray], never)
    expect(sizes(seen)).toEqual([1])
  })

  test('stopped between batches, those that are through stay', async () => {
    const images = fresh({ spareBytes: 0 })
    const seen = batches()
    const stop = new AbortController()
    const onShare = (share: number) => share > 0 && stop.abort()
    await expect(images.encode(pictures, stop.signal, { onShare })).rejects.toMatchObject({
      name: 'AbortError',
    })
    expect(pictures.map(({ key }) => images.has(key))).toEqual([true, false, false])
    const encoded = await images.encode(pictures, never)
    expect(sizes(seen)).toEqual([1, 1, 1])
    expect(new Set(encoded.map(({ features }) => features.buffer)).size).toBe(3)
  })
})
