import { expect, test } from 'vitest'
import { TrilobiteError } from '../../kernels/errors'
import { openCheckpoint } from './checkpoint'
import { hubSource } from './hub-source'
import { DEFAULT_STALL_MS } from './retry'
import { writeSafetensors } from './safetensors-writer'
import { streamTensors } from './stream-tensors'
import { faultyHub, type FaultyHub } from './testing/faulty-hub'
import { seededRandom } from './testing/random'

const RUNS = 200
const TENSORS = 6
const SIZE = 200_000
/** Of each shard, come twice: first for its header. Real shards are ten thousand times as long. */
const HEAD_BYTES = 128 * 1024
/** Long for a machine with other things to do, short for the runs that wait for it. */
const STALL_MS = 500
const RUNS_AT_ONCE = 10
const TOKEN = 'hf_secret123'

const tensor = (index: number) => {
  const random = seededRandom(index)
  return Uint8Array.from({ length: SIZE }, () => Math.floor(256 * random()))
}
const values = new Map<string, Uint8Array>(
  Array.from({ length: TENSORS }, (_, i) => [`t${i}`, tensor(i)] as const),
)
const shard = (names: string[]) =>
  new Uint8Array(
    Buffer.concat(
      writeSafetensors(names.map((name) => ({ name, dtype: 'U8', shape: [SIZE], data: values.get(name)! }))),
    ),
  )
const shardOf = (name: string) => (name < 't3' ? 'a.safetensors' : 'b.safetensors')
const names = [...values.keys()]
const repository = {
  'model.safetensors.index.json': new TextEncoder().encode(
    JSON.stringify({ weight_map: Object.fromEntries(names.map((name) => [name, shardOf(name)])) }),
  ),
  'a.safetensors': shard(names.filter((name) => shardOf(name) === 'a.safetensors')),
  'b.safetensors': shard(names.filter((name) => shardOf(name) === 'b.safetensors')),
}

type Range = [start: number, end: number]

/** Adds a range to others, all disjoint; gives how many of its bytes they had. */
function cover(ranges: Range[], start: number, end: number): number {
  const touching = ranges.filter(([from, to]) => from <= end && to >= start)
  const apart = ranges.filter((range) => !touching.includes(range))
  const had = touching.reduce((sum, [from, to]) => sum + Math.min(to, end) - Math.max(from, start), 0)
  const joined: Range = [
    Math.min(start, ...touching.map(([from]) => from)),
    Math.max(end, ...touching.map(([, to]) => to)),
  ]
  ranges.splice(0, ranges.length, ...apart, joined)
  return had
}

/** Bytes that came, by file, and how many of them had come before. */
class Traffic {
  bytes = 0
  again = 0
  private readonly covered = new Map<string, Range[]>()

  readonly fetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    const path = new URL(response.url).pathname.slice(1)
    const sizeBytes = repository[path as keyof typeof repository]?.length
    if (!response.body || !sizeBytes || !path.endsWith('.safetensors')) return response
    const ranges = this.covered.get(path) ?? []
    this.covered.set(path, ranges)
    const [, from = '0'] = /bytes=(\d+)/.exec(new Headers(init?.headers).get('range') ?? '') ?? []
    let at = response.status === 206 ? Number(from) : 0
    const counted = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          const end = Math.min(at + chunk.length, sizeBytes)
          this.bytes += end - at
          this.again += cover(ranges, at, end)
          at = end
          controller.enqueue(chunk)
        },
      }),
    )
    const { status, headers } = response
    return Object.defineProperty(new Response(counted, { status, headers }), 'url', { value: response.url })
  }
}

async function load(hub: FaultyHub, traffic: Traffic, stallMs = DEFAULT_STALL_MS) {
  const waiting = { sleep: async () => undefined, stallMs }
  const { fetch } = traffic
  const source = hubSource({ repo: 'owner/name', endpoint: hub.origin, token: TOKEN, fetch, ...waiting })
  const got = new Map(names.map((name) => [name, new Uint8Array(SIZE)]))
  const sink = {
    chunkBytes: () => 80_000,
    write: ({ name }: { name: string }, at: number, bytes: Uint8Array) => got.get(name)!.set(bytes, at),
  }
  const report = await streamTensors(await openCheckpoint(source, waiting), sink, waiting)
  return { got, report }
}

function expectWeights(got: ReadonlyMap<string, Uint8Array>, said: string): void {
  for (const [name, bytes] of got)
    expect(Buffer.compare(bytes, values.get(name)!), `${said}: ${name}`).toBe(0)
}

/** One load from a faulty hub: its traffic where it ended in weights, undefined where in words. */
async function run(seed: number): Promise<Traffic | undefined> {
  const hub = await faultyHub(repository, { seed, rate: [0.1, 0.3, 0.6][seed % 3]! })
  const traffic = new Traffic()
  const said = () => `seed ${seed}: ${hub.log.map(({ path, fault }) => `${fault} ${path}`).join(', ')}`
  try {
    const { got, report } = await load(hub, traffic, STALL_MS)
    expectWeights(got, said())
    for (const { sha256 } of report.files) expect(sha256, said()).toBeDefined()
    return traffic
  } catch (error) {
    expect(error, said()).toBeInstanceOf(TrilobiteError)
    const { message } = error as Error
    expect(message, said()).toMatch(/expected .*, (?:got|the) /)
    expect(message).not.toContain(TOKEN)
    hub.heal()
    expectWeights((await load(hub, new Traffic())).got, said())
    return undefined
  } finally {
    expect(JSON.stringify(hub.files), said()).not.toContain(TOKEN)
    await hub.close()
  }
}

test(`${RUNS} loads from hubs on which everything goes wrong end in the right weights or in words`, async () => {
  const seeds = Array.from({ length: RUNS }, (_, seed) => seed).values()
  const ended: (Traffic | undefined)[] = []
  const runAll = async () => {
    for (const seed of seeds) ended.push(await run(seed))
  }
  await Promise.all(Array.from({ length: RUNS_AT_ONCE }, runAll))

  const loaded = ended.filter((traffic) => traffic !== undefined)
  expect(ended.length - loaded.length).toBeGreaterThan(RUNS / 4)
  expect(loaded.length).toBeGreaterThan(RUNS / 4)
  const sum = (of: (traffic: Traffic) => number) => loaded.reduce((total, traffic) => total + of(traffic), 0)
  const again = sum(({ again }) => again - 2 * HEAD_BYTES)
  expect(again / sum(({ bytes }) => bytes - 2 * HEAD_BYTES)).toBeLessThan(0.05)
}, 120_000)
