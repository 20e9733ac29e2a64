import { describe, expect, test } from 'vitest'
import type { Encoder } from '../gpu/encoder'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { generator, seeded, shaped, type Shaped } from '../testing/numbers'
import {
  crossEntropyChunk,
  crossEntropyGradient,
  crossEntropyLosses,
  crossEntropyStart,
  NO_LABEL,
} from './cross-entropy'
import { crossEntropyCases } from './cross-entropy.cases'
import { crossEntropyRef } from './cross-entropy.ref'

interface Rows {
  readonly logits: Shaped
  readonly labels: readonly number[]
  readonly scales: Shaped
}

/** Columns of a matrix. */
function columns(x: Shaped, start: number, count: number): Shaped {
  const [R = 0, V = 0] = x.shape
  const part = new Float32Array(R * count)
  for (let r = 0; r < R; r++) part.set(x.subarray(r * V + start, r * V + start + count), r * count)
  return shaped(part, [R, count])
}

/** Losses and whole gradient, the vocabulary going through in chunks. */
async function run(
  { logits, labels, scales }: Rows,
  chunk: number,
  record = (run: () => void, _: Encoder) => run(),
) {
  const [R = 0, V = 0] = logits.shape
  const inputs: Record<string, Shaped> = { scales }
  const starts: number[] = []
  for (let start = 0; start < V; start += chunk) {
    starts.push(start)
    inputs[`from ${start}`] = columns(logits, start, Math.min(chunk, V - start))
  }
  const { losses, ...parts }: Record<string, Float32Array> = await onGpu(inputs, (enc, t) => {
    const ids = enc.constant(Uint32Array.from(labels))
    const stats = crossEntropyStart(enc, R)
    record(() => {
      for (const start of starts) crossEntropyChunk(enc, stats, t[`from ${start}`]!, ids, start)
      for (const start of starts) crossEntropyGradient(enc, stats, t[`from ${start}`]!, ids, start, t.scales!)
    }, enc)
    return { ...t, losses: crossEntropyLosses(enc, stats) }
  })
  const gradient = new Float32Array(R * V)
  for (const start of starts) {
    const part = parts[`from ${start}`]!
    const width = part.length / R
    for (let r = 0; r < R; r++) gradient.set(part.subarray(r * width, (r + 1) * width), r * V + start)
  }
  return { losses: losses!, gradient }
}

/** Random logits and labels; every seventh row takes no part, and the first and the last id are labels somewhere. */
function randomRows(R: number, V: number, spread = 3): Rows {
  const { logits, scales } = seeded({ logits: [R, V], scales: [R] })
  const random = generator(9)
  const labels = Array.from({ length: R }, (_, r) => (r % 7 === 6 ? NO_LABEL : Math.floor(random() * V)))
  labels[0] = V - 1
  if (R > 1) labels[1] = 0
  for (let i = 0; i < logits.length; i++) logits[i]! *= spread
  return { logits, labels, scales }
}

const isNaNs = (values: ArrayLike<number>) => Array.from(values).every(Number.isNaN)

describe('cross-entropy', () => {
  test.each(crossEntropyCases)(
    'matches the oracle for [$R, $V] in chunks of $chunk',
    async ({ R, V, chunk }) => {
      const rows = randomRows(R, V)
      const want = crossEntropyRef(rows.logits, rows.labels, rows.scales)
      const { losses, gradient } = await run(rows, chunk)
      expect(losses).toBeClose(want.losses, { atol: 1e-6, rtol: 2e-6 })
      expect(gradient).toBeClose(want.gradient, { atol: 1e-7, rtol: 2e-6 })
      rows.labels.forEach((label, r) => {
        if (label === NO_LABEL) expect(losses[r]).toBe(0)
      })
    },
  )

  test('logits of 80 in size neither overflow nor vanish', async () => {
    const rows = randomRows(6, 300, 0)
    rows.logits.forEach((_, i) => (rows.logits[i] = [80, -80, 79, -79.5, 0][i % 5]!))
    const want = crossEntropyRef(rows.logits, rows.labels, rows.scales)
    const { losses, gradient } = await run(rows, 64)
    expect(losses).toBeClose(want.losses, { rtol: 1e-6 })
    expect(gradient).toBeClose(want.gradient, { rtol: 2e-6 })
  })

  test.each([0, 70, 299])('one logit of 1e4, at %d, takes all of its row', async (high) => {
    const rows = randomRows(2, 300)
    for (const r of [0, 1]) rows.logits[r * 300 + high] = 1e4
    const labels = [high, (high + 100) % 300]
    const want = crossEntropyRef(rows.logits, labels, rows.scales)
    const { losses, gradient } = await run({ ...rows, labels }, 64)
    expect(losses[0]).toBe(0)
    expect(losses[1]).toBeCloseTo(want.losses[1]!, 2)
    expect(gradient).toBeClose(want.gradient, { atol: 1e-7, rtol: 1e-6 })
  })

  test('large logits close together lose no digits', async () => {
    const rows = randomRows(3, 200)
    for (let i = 0; i < rows.logits.length; i++) rows.logits[i] = 1e4 + Math.round(rows.logits[i]! * 64) / 64
    const want = crossEntropyRef(rows.logits, rows.labels, rows.scales)
    const { losses, gradient } = await run(rows, 64)
    expect(losses).toBeClose(want.losses, { rtol: 2e-6 })
    expect(gradient).toBeClose(want.gradient, { rtol: 2e-6 })
  })

  test.each([Infinity, -Infinity, NaN])('a logit of %d makes its row NaN and no other', async (value) => {
    for (const V of [200, 203]) {
      const rows = randomRows(3, V)
      const labels = [5, 6, NO_LABEL]
      const want = crossEntropyRef(rows.logits, labels, rows.scales)
      for (const r of [1, 2]) rows.logits[r * V + 130] = value
      const { losses, gradient } = await run({ ...rows, labels }, 64)
      expect(losses[1]).toBeNaN()
      expect(isNaNs(gradient.subarray(V, 2 * V))).toBe(true)
      expect(losses[2]).toBe(0)
      expect(losses[0]).toBeCloseTo(want.losses[0]!, 5)
      expect(gradient.subarray(0, V)).toBeClose(want.gradient.subarray(0, V), { rtol: 2e-6 })
      expect(gradient.subarray(2 * V)).toEqual(new Float32Array(V))
    }
  })

  test('a label that is in no chunk makes its row NaN', async () => {
    const rows = { ...randomRows(2, 100), labels: [100, 99] }
    const { losses, gradient } = await run(rows, 32)
    expect(losses[0]).toBeNaN()
    expect(isNaNs(gradient.subarray(0, 100))).toBe(true)
    expect(losses[1]).toBeGreaterThan(0)
  })

  test('a folded grid reaches every row once', async () => {
    const rows = randomRows(10, 1100)
    const want = crossEntropyRef(rows.logits, rows.labels, rows.scales)
    const { losses, gradient } = await run(rows, 512, (record, enc) => withGridLimit(enc.gpu, 3, record))
    expect(losses).toBeClose(want.losses, { rtol: 2e-6 })
    expect(gradient).toBeClose(want.gradient, { rtol: 2e-6 })
  })

  test.each([1100, 1101])('works with the lanes of a GPU for [3, %d]', async (V) => {
    const rows = randomRows(3, V)
    const want = crossEntropyRef(rows.logits, rows.labels, rows.scales)
    const { losses, gradient } = await run(rows, 1024, (record, enc) => {
      const caps = enc.gpu.caps as { isSoftware: boolean }
      const real = caps.isSoftware
      caps.isSoftware = false
      try {
        record()
      } finally {
        caps.isSoftware = real
      }
    })
    expect(losses).toBeClose(want.losses, { rtol: 2e-6 })
    expect(gradient).toBeClose(want.gradient, { rtol: 2e-6 })
  })

  test('refuses shapes that do not fit', async () => {
    const { logits, scales } = seeded({ logits: [3, 8], scales: [2] })
    const attempt = (labels: readonly number[]) =>
      onGpu({ logits, scales }, (enc, t) => {
        const ids = enc.constant(Uint32Array.from(labels))
        const stats = crossEntropyStart(enc, 3)
        crossEntropyChunk(enc, stats, t.logits, ids, 0)
        crossEntropyGradient(enc, stats, t.logits, ids, 0, t.scales)
        return {}
      })
    await expect(attempt([1, 2])).rejects.toThrow('cross-entropy: labels should be [3] but is [2]')
    await expect(attempt([1, 2, 3])).rejects.toThrow(
      'cross-entropy-gradient: scales should be [3] but is [2]',
    )
    await expect(
      onGpu({ logits }, (enc) => {
        crossEntropyStart(enc, 0)
        return {}
      }),
    ).rejects.toThrow('cross-entropy: rows should be at least 1 but is 0')
  })
})
