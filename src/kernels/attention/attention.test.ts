import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { attentionBackwardRef, attentionRef, type AttentionDims } from './attention.ref'

const shapes: AttentionDims[] = [
  { B: 1, T: 4, S: 4, H: 4, KV: 2, D: 3, scale: 0.7, causal: { position: 0, window: Infinity } },
  { B: 1, T: 3, S: 5, H: 2, KV: 1, D: 4, scale: 0.5, causal: { position: 2, window: 3 } },
  { B: 2, T: 2, S: 3, H: 2, KV: 2, D: 3, scale: 0.6 },
]

describe('attention oracle', () => {
  test.each(shapes)('its gradients agree with central differences for a random cotangent: %o', (dims) => {
    const { B, T, S, H, KV, D } = dims
    const sizes = { q: [B * T, H * D], k: [B * S, KV * D], v: [B * S, KV * D], dy: [B * T, H * D] }
    const { q, k, v, dy } = seeded(sizes)
    const { dq, dk, dv } = attentionBackwardRef(dy, q, k, v, dims)
    expect(dq).toBeClose(
      finiteDifference((at) => attentionRef(at, k, v, dims), q, dy),
      { rtol: 1e-6 },
    )
    expect(dk).toBeClose(
      finiteDifference((at) => attentionRef(q, at, v, dims), k, dy),
      { rtol: 1e-6 },
    )
    expect(dv).toBeClose(
      finiteDifference((at) => attentionRef(q, k, at, dims), v, dy),
      { rtol: 1e-6 },
    )
  })

  test('a query sees itself and what came before, at most a window of it', () => {
    const dims = { B: 1, T: 2, S: 4, H: 1, KV: 1, D: 1, scale: 1, causal: { position: 2, window: 2 } }
    // Equal scores: the mean of the keys seen, 2..3 and 1..2 counted from one.
    expect(attentionRef([0, 0], [0, 0, 0, 0], [1, 2, 3, 4], dims)).toBeClose([2.5, 3.5])
  })
})
