import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { DiskSource } from '../../cli/disk-source'
import { openModel, type OpenedModel } from '../checkpoint-files'
import { fingerprintFile } from '../checkpoint/fingerprint'
import type { CheckpointSource } from '../checkpoint/source'
import { OriginalCase } from '../testing/original'
import { modelFingerprints, towerIdentities } from './weights-identity'

const golden = fileURLToPath(new URL('../../../e2e/golden/train-clip-llama/checkpoint', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'trilobite-towers-'))
afterAll(() => rmSync(root, { recursive: true }))

const copy = (name: string) => {
  const folder = join(root, name, 'checkpoint')
  cpSync(golden, folder, { recursive: true, preserveTimestamps: true })
  return folder
}

type Plan = Parameters<typeof towerIdentities>[0]['plan']
const identities = (opened: OpenedModel, plan: Partial<Plan> = {}) =>
  towerIdentities({ opened, plan: { dtype: 'f32', towerDtype: 'f32', ...plan } as Plan }, opened.processors)
const of = async (source: CheckpointSource, plan?: Partial<Plan>) =>
  (await identities(await openModel(source), plan))[0]!

test('is the same from visit to visit', async () => {
  const folder = copy('same')
  expect(await of(new DiskSource(folder))).toBe(await of(new DiskSource(folder)))
})

test('tells folders of the same name apart by what stands in them, and no copy from its original', async () => {
  const [one, copied] = [copy('one'), copy('copied')]
  const before = await of(new DiskSource(one))
  expect(await of(new DiskSource(copied))).toBe(before)
  const opened = await openModel(new DiskSource(one))
  const entry = [...opened.tensors].find(([name]) => name.startsWith('vision.'))![1]
  const shard = join(one, entry.file)
  const bytes = readFileSync(shard)
  bytes[entry.end - 1]! ^= 0x80
  writeFileSync(shard, bytes)
  expect(await of(new DiskSource(one))).not.toBe(before)
  expect(await modelFingerprints(opened)).not.toEqual(
    await modelFingerprints(await openModel(new DiskSource(copied))),
  )
})

test('reads little of large files, from their beginning to their end', async () => {
  const sizeBytes = 5e9
  const read: [number, number][] = []
  const large = (value: number): CheckpointSource => ({
    name: 'large',
    sizeOf: async () => sizeBytes,
    readText: async () => undefined,
    async stream(_, { start = 0, end = sizeBytes } = {}) {
      read.push([start, end])
      return new Blob([new Uint8Array(end - start).fill(start > sizeBytes / 2 ? value : 0)]).stream()
    },
  })
  const first = await fingerprintFile(large(1), 'model.safetensors', sizeBytes)
  expect(read[0]![0]).toBe(0)
  expect(read.at(-1)![1]).toBe(sizeBytes)
  expect(read.reduce((sum, [start, end]) => sum + end - start, 0)).toBe(2 ** 20)
  expect(await fingerprintFile(large(2), 'model.safetensors', sizeBytes)).not.toBe(first)
})

test('knows files of a server by address and size, and asks for nothing', async () => {
  const source = { name: 'm', address: 'https://hub.example/m/' } as CheckpointSource
  expect(await fingerprintFile(source, 'a.safetensors', 7)).toBe('https://hub.example/m/a.safetensors 7')
})

test('tells precisions and processors apart', async () => {
  const opened = await openModel(new DiskSource(golden))
  const processors = opened.processors.map((processor) => ({ ...processor, padToSquare: true }))
  const all = await Promise.all([
    identities(opened),
    identities(opened, { dtype: 'f16' }),
    identities(opened, { towerDtype: 'q8' }),
    identities({ ...opened, processors }),
  ])
  expect(new Set(all.flat()).size).toBe(4)
})

test('names only the files of the tower itself where each has its own', async () => {
  const original = new OriginalCase('cambrian-llama3')
  const opened = await openModel(original.checkpoint, { resolve: original.resolve })
  const all = await identities(opened)
  expect(new Set(all).size).toBe(4)
  for (const identity of all) expect(JSON.parse(identity)[0]).toHaveLength(1)
})
