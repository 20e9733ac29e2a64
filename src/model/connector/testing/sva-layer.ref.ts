import { letterbox, unpaddedGrid } from '../../../kernels'
import { layerNormRef } from '../../../kernels/layer-norm/layer-norm.ref'
import { matmulRef } from '../../../kernels/matmul/matmul.ref'
import { svaAttentionRef } from '../../../kernels/sva/sva.ref'
import type { PictureSize } from '../definition'
import type { SvaLayerConfig } from '../sva-layer'

type Numbers = ArrayLike<number>
type Parameters = Readonly<Record<string, Numbers>>

const EPS = 1e-5

/** Oracle in float64: one layer for the cells of a picture, its maps as the connector keeps them. */
export function svaLayerRef(
  config: SvaLayerConfig,
  p: Parameters,
  q: Numbers,
  maps: readonly Numbers[],
  { width, height }: PictureSize,
  cells: readonly number[],
): { y: Float64Array; shares: Float64Array } {
  const { queryWidth: Q, hidden: V, heads, side, mapSides } = config
  const N = cells.length
  const context = Float64Array.from({ length: V }, (_, c) => {
    let sum = 0
    for (let i = c; i < maps[0]!.length; i += V) sum += maps[0]![i]!
    return (sum * V) / maps[0]!.length
  })
  const projected = matmulRef(context, p['proj_context.weight']!, V)
  const joined = new Float64Array(N * (Q + V))
  for (let n = 0; n < N; n++) {
    for (let c = 0; c < Q; c++) joined[n * (Q + V) + c] = q[n * Q + c]!
    for (let c = 0; c < V; c++) joined[n * (Q + V) + Q + c] = projected[c]!
  }
  const x = matmulRef(joined, p['proj_in.weight']!, Q + V)
  const normed = (name: string, rows: Numbers) =>
    matmulRef(
      layerNormRef(rows, p[`${name}.0.weight`]!, p[`${name}.0.bias`]!, EPS),
      p[`${name}.1.weight`]!,
      V,
    )
  const towers = mapSides.map((S, t) => {
    const r = S / side
    const positions = p[`pos_embed_${t}`]
    const seen = Float64Array.from(maps[t]!, (value, i) => {
      if (!positions) return value
      const cell = Math.floor(i / V)
      const place = (Math.floor(cell / S) % r) * r + ((cell % S) % r)
      return value + positions[place * V + (i % V)]!
    })
    return {
      k: normed(`cross_attn.k_proj_${t}`, seen),
      v: normed(`cross_attn.v_proj_${t}`, seen),
      side: S,
      valid: letterbox(width, height, S),
    }
  })
  const { y: attended, shares } = svaAttentionRef(normed('cross_attn.q_proj', x), towers, {
    heads,
    side,
    cells,
  })
  const sum = matmulRef(attended, p['cross_attn.o_proj.weight']!, V, { residual: x })
  const inner = matmulRef(
    layerNormRef(sum, p['norm.weight']!, p['norm.bias']!, EPS),
    p['proj_out.linear_1.weight']!,
    V,
    { activation: 'gelu' },
  )
  return { y: matmulRef(inner, p['proj_out.linear_2.weight']!, V, { residual: q }), shares }
}

/** Oracle in float64: a picture's rows from `firstRow` on, refined; newline rows as they are. */
export function refineRef(
  config: SvaLayerConfig,
  p: Parameters,
  x: Numbers,
  maps: readonly Numbers[],
  size: PictureSize,
  firstRow: number,
): Float64Array {
  const D = config.queryWidth
  const { top, left, columns } = unpaddedGrid(size.width, size.height, config.side)
  const y = Float64Array.from({ length: x.length }, (_, i) => x[i]!)
  const asked: { row: number; cell: number }[] = []
  for (let row = 0; row < x.length / D; row++) {
    const line = Math.floor((firstRow + row) / (columns + 1))
    const column = (firstRow + row) % (columns + 1)
    if (column < columns) asked.push({ row, cell: (top + line) * config.side + left + column })
  }
  const q = asked.flatMap(({ row }) => Array.from({ length: D }, (_, c) => x[row * D + c]!))
  const refined = svaLayerRef(
    config,
    p,
    q,
    maps,
    size,
    asked.map(({ cell }) => cell),
  )
  asked.forEach(({ row }, n) => {
    for (let c = 0; c < D; c++) y[row * D + c] = refined.y[n * D + c]!
  })
  return y
}
