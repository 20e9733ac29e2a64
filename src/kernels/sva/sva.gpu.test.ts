import { describe, expect, test } from 'vitest'
import type { Encoder } from '../gpu/encoder'
import type { Gpu } from '../gpu/device'
import { onGpu, testGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded, type Shaped } from '../testing/numbers'
import type { Tensor } from '../tensor'
import { areaCells, letterbox, unpaddedGrid } from './letterbox'
import { svaAttentionBackward } from './sva-backward'
import { svaShares } from './sva-shares'
import { svaAttention, svaAttentionWithLse, type SvaOptions, type SvaTower } from './sva'
import { svaCases, svaLaneCases, svaReleaseCase, type SvaCase } from './sva.cases'
import { svaAttentionBackwardRef, svaAttentionRef } from './sva.ref'

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

/** Runs everything on the GPU; gradients by name, dk0 for tower 0 and so on. */
function run({ inputs, bind }: ReturnType<typeof prepare>) {
  return onGpu(inputs, (enc, t) => {
    const [towers, options] = bind(enc, t)
    const q = t.q!
    const { y, lse } = svaAttentionWithLse(enc, q, towers, options)
    const shares = svaShares(enc, q, lse, towers, options)
    const { dq, dk, dv } = svaAttentionBackward(enc, { q, y, lse, dy: t.dy! }, towers, options)
    const named = (name: string, list: Tensor[]) => list.map((tensor, i) => [`${name}${i}`, tensor] as const)
    return Object.fromEntries([
      ...Object.entries({ y, lse, shares, dq }),
      ...named('dk', dk),
      ...named('dv', dv),
    ]) as Record<string, Tensor>
  })
}

function expectOracle(
  got: Awaited<ReturnType<typeof run>>,
  { q, dy, towers, options }: ReturnType<typeof prepare>,
) {
  const want = svaAttentionRef(q, towers, options)
  const gradients = svaAttentionBackwardRef(dy, q, towers, options)
  expect(got.y!).toBeClose(want.y)
  expect(got.lse!).toBeClose(want.lse)
  expect(got.shares!).toBeClose(want.shares)
  expect(got.dq!).toBeClose(gradients.dq)
  towers.forEach((_, t) => {
    expect(got[`dk${t}`]!).toBeClose(gradients.dk[t]!)
    expect(got[`dv${t}`]!).toBeClose(gradients.dv[t]!)
  })
}

/** Records with some capabilities replaced. */
async function withCaps<T>(change: Partial<Gpu['caps']>, record: () => Promise<T>): Promise<T> {
  const gpu = await testGpu()
  const { caps } = gpu
  try {
    Object.assign(gpu, { caps: { ...caps, ...change } })
    return await record()
  } finally {
    Object.assign(gpu, { caps })
  }
}

describe('sva', () => {
  test.each([...svaCases, svaReleaseCase].map((sva) => [title(sva), sva] as const))(
    'matches the oracle for %s',
    async (_, sva) => {
      const prepared = prepare(sva)
      expectOracle(await run(prepared), prepared)
    },
  )

  test.each(svaLaneCases.map((sva) => [title(sva), sva] as const))(
    'matches the oracle in the form for GPUs, several lanes a head, for %s',
    async (_, sva) => {
      const prepared = prepare(sva)
      expectOracle(await withCaps({ isSoftware: false }, () => run(prepared)), prepared)
    },
  )

  test('gives the same where dispatches are cut short and grids fold', async () => {
    const gpu = await testGpu()
    const prepared = prepare({ side: 6, H: 8, D: 8, reduce: [1, 3], picture: [160, 84] })
    const whole = await run(prepared)
    expect(await withCaps({ maxDispatchFlops: 1000 }, () => run(prepared))).toEqual(whole)
    expect(await withGridLimit(gpu, 2, () => run(prepared))).toEqual(whole)
  })

  test('stays finite for scores far from zero', async () => {
    const prepared = prepare({ side: 2, H: 2, D: 4, reduce: [2, 1], scale: 300 })
    const { y, lse } = svaAttentionRef(prepared.q, prepared.towers, prepared.options)
    const got = await run(prepared)
    expect(got.y!).toBeClose(y, { rtol: 1e-3 }) // scores around 1000 carry 1e-4 in f32
    expect(got.lse!).toBeClose(lse)
  })

  test('refuses maps and rows that do not fit', async () => {
    const { x, odd } = seeded({ x: [4, 8], odd: [9, 8] })
    const attempt = (towers: (t: { x: Tensor; odd: Tensor }) => SvaTower[], heads = 2, side = 2) =>
      onGpu({ x, odd }, (enc, t) => ({ y: svaAttention(enc, t.x, towers(t), { heads, side }) }))
    await expect(attempt((t) => [{ k: t.odd, v: t.odd, side: 3 }])).rejects.toThrow(
      'sva: the map of tower 0 should have a multiple of 2 cells a side but has 3',
    )
    await expect(attempt((t) => [{ k: t.x, v: t.odd, side: 2 }])).rejects.toThrow(
      'sva: values of tower 0 should be [4, 8] but is [9, 8]',
    )
    await expect(attempt((t) => [{ k: t.x, v: t.x, side: 2 }], 3)).rejects.toThrow(
      'sva: rows of q should divide into 3 heads but have 8 elements',
    )
    await expect(attempt((t) => [{ k: t.x, v: t.x, side: 2 }], 2, 3)).rejects.toThrow(
      'sva: q should be [9, 8] but is [4, 8]',
    )
    const valid = { axis: 'rows', from: 0, to: 3 } as const
    await expect(attempt((t) => [{ k: t.x, v: t.x, side: 2, valid }])).rejects.toThrow(
      'sva: valid rows of tower 0 should lie in 0..2 but are 0..3',
    )
    await expect(attempt(() => [])).rejects.toThrow('sva: at least one tower was expected, none came')
  })
})
