import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded, shaped } from '../testing/numbers'
import { swiglu, swigluBackward, swigluPacked, swigluPackedBackward } from './swiglu'
import { gateKinds, swigluCases } from './swiglu.cases'
import { packRef, swigluBackwardRef, swigluRef, unpackRef } from './swiglu.ref'

describe.each(gateKinds)('gate through %s', (kind) => {
  test.each(swigluCases)('matches the oracle for [$T, $F]', async ({ T, F }) => {
    const { gateUp, dy } = seeded({ gateUp: [T, 2 * F], dy: [T, F] })
    const { gate, up } = unpackRef(gateUp, F)
    const inputs = {
      gateUp,
      dy,
      gate: shaped(Float32Array.from(gate), [T, F]),
      up: shaped(Float32Array.from(up), [T, F]),
    }
    const got = await onGpu(inputs, (enc, t) => ({
      y: swiglu(enc, t.gate, t.up, kind),
      ...swigluBackward(enc, t.dy, t.gate, t.up, kind),
      packed: swigluPacked(enc, t.gateUp, kind),
      dGateUp: swigluPackedBackward(enc, t.dy, t.gateUp, kind),
    }))
    const want = swigluRef(gate, up, kind)
    const { dGate, dUp } = swigluBackwardRef(dy, gate, up, kind)
    expect(got.y).toBeClose(want)
    expect(got.packed).toBeClose(want)
    expect(got.dGate).toBeClose(dGate)
    expect(got.dUp).toBeClose(dUp)
    expect(got.dGateUp).toBeClose(packRef(dGate, dUp, F))
  })
})

test('swiglu: silu is the default', async () => {
  const { gate, up } = seeded({ gate: [2, 8], up: [2, 8] })
  const got = await onGpu({ gate, up }, (enc, t) => ({ y: swiglu(enc, t.gate, t.up) }))
  expect(got.y).toBeClose(swigluRef(gate, up, 'silu'))
})

test('swiglu: a folded grid reaches every element once', async () => {
  const { gateUp, dy } = seeded({ gateUp: [9, 2048], dy: [9, 1024] })
  const got = await onGpu({ gateUp, dy }, (enc, t) =>
    withGridLimit(enc.gpu, 4, () => ({
      y: swigluPacked(enc, t.gateUp),
      dGateUp: swigluPackedBackward(enc, t.dy, t.gateUp),
    })),
  )
  const { gate, up } = unpackRef(gateUp, 1024)
  const { dGate, dUp } = swigluBackwardRef(dy, gate, up)
  expect(got.y).toBeClose(swigluRef(gate, up))
  expect(got.dGateUp).toBeClose(packRef(dGate, dUp, 1024))
})

test('swiglu: refuses unlike shapes and odd rows', async () => {
  const { gate, up } = seeded({ gate: [2, 8], up: [2, 7] })
  await expect(onGpu({ gate, up }, (enc, t) => ({ y: swiglu(enc, t.gate, t.up) }))).rejects.toThrow(
    'swiglu: up should be [2, 8] but is [2, 7]',
  )
  await expect(onGpu({ up }, (enc, t) => ({ y: swigluPacked(enc, t.up) }))).rejects.toThrow(
    "swiglu-packed: gateUp's last axis should hold two halves but is 7",
  )
})
