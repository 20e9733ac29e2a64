import { describe, expect, test } from 'vitest'
import { onGpu, testGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded, type Shaped } from '../testing/numbers'
import type { Tensor } from '../tensor'
import type { Encoder } from '../gpu/encoder'
import { areaCells, letterbox, unpaddedGrid } from './letterbox'
import { svaAttention, svaAttentionWithLse, type SvaOptions, type SvaTower } from './sva'
import { svaCases, svaReleaseCase, type SvaCase } from './sva.cases'
import { svaAttentionRef } from './sva.ref'

/** Random inputs of a case, and the oracle's arguments. */
function prepare({ side, H, D, reduce, picture, unpadded, scale }: SvaCase, seed = 1) {
  const cells = picture && unpadded ? areaCells(unpaddedGrid(picture[0], picture[1], side), side) : undefined
  const N = cells?.length ?? side * side
  const shapes: Record<string, readonly number[]> = { q: [N, H * D], dy: [N, H * D] }
  reduce.forEach((r, t) => {
    shapes[`k${t}`] = [(side * r) ** 2, H * D]
    shapes[`v${t}`] = [(side * r) ** 2, H * D]
  })
  const inputs = seeded(shapes, seed) as Record<string, Shaped>
  const towers = reduce.map((r, t) => ({
    k: inputs[`k${t}`]!,
    v: inputs[`v${t}`]!,
    side: side * r,
    valid: picture && letterbox(picture[0], picture[1], side * r),
  }))
  const options = { heads: H, side, cells, scale }
  /** The same on the GPU. */
  const bind = (enc: Encoder, tensors: Record<string, Tensor>): [SvaTower[], SvaOptions] => [
    towers.map(({ side, valid }, t) => ({ k: tensors[`k${t}`]!, v: tensors[`v${t}`]!, side, valid })),
    { ...options, cells: cells && enc.constant(cells) },
  ]
  return { inputs, q: inputs.q!, dy: inputs.dy!, towers, options, bind }
}

const title = (sva: SvaCase) => JSON.stringify(sva).replaceAll('"', '')

describe('sva', () => {
  test.each([...svaCases, svaReleaseCase].map((sva) => [title(sva), sva] as const))(
    'matches the oracle for %s',
    async (_, sva) => {
      const { inputs, q, towers, options, bind } = prepare(sva)
      const got = await onGpu(inputs, (enc, t) => svaAttentionWithLse(enc, t.q!, ...bind(enc, t)))
      const want = svaAttentionRef(q, towers, options)
      expect(got.y).toBeClose(want.y)
      expect(got.lse).toBeClose(want.lse)
    },
  )
})
