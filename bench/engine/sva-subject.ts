import { svaAttention, uploadTensor } from '../../src/kernels'
import { svaAttentionRef } from '../../src/kernels/sva/sva.ref'
import { seeded } from '../../src/kernels/testing/numbers'
import type { SvaPreset } from '../presets.mjs'
import { relativeError, type Bench, type Subject } from './subject'

/** A square picture's queries, each over its own window of every tower's map; keys and values are projected already. */
export async function svaSubject({ gpu, enc }: Bench, preset: SvaPreset): Promise<Subject> {
  const { side, reduce, heads, headDim } = preset
  const C = heads * headDim
  const { q: data } = seeded({ q: [side * side, C] })
  const q = uploadTensor(gpu, 'q', [side * side, C], data)
  const towers = reduce.map((r, i) => {
    const mapSide = r * side
    const shape = [mapSide * mapSide, C]
    const { k, v } = seeded({ k: shape, v: shape }, i + 2)
    const tensors = {
      k: uploadTensor(gpu, 'k', shape, k),
      v: uploadTensor(gpu, 'v', shape, v),
      side: mapSide,
    }
    return { values: { k, v, side: mapSide }, tensors }
  })
  const record = () =>
    svaAttention(
      enc,
      q,
      towers.map(({ tensors }) => tensors),
      { heads, side },
    )
  return {
    async check() {
      const got = await enc.read(record())
      enc.end()
      const maps = towers.map(({ values }) => values)
      return { error: relativeError(got, svaAttentionRef(data, maps, { heads, side }).y), allowed: 2e-5 }
    },
    async run(units) {
      for (let i = 0; i < units; i++) {
        enc.scope(record)
        enc.end()
      }
      await gpu.finish()
    },
  }
}
