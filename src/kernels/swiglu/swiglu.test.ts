import { describe, expect, test } from 'vitest'
import { finiteDifference, seeded } from '../testing/numbers'
import { gateKinds } from './swiglu.cases'
import { packRef, swigluBackwardRef, swigluRef, unpackRef } from './swiglu.ref'

describe('swiglu oracle', () => {
  const { gate, up, dy } = seeded({ gate: [2, 9], up: [2, 9], dy: [2, 9] })

  test.each(gateKinds)('both gradients under %s agree with central differences', (kind) => {
    const { dGate, dUp } = swigluBackwardRef(dy, gate, up, kind)
    expect(dGate).toBeClose(
      finiteDifference((at) => swigluRef(at, up, kind), gate, dy),
      { rtol: 1e-7 },
    )
    expect(dUp).toBeClose(
      finiteDifference((at) => swigluRef(gate, at, kind), up, dy),
      { rtol: 1e-7 },
    )
  })

  test('packing puts each row’s gate before what it multiplies', () => {
    expect([...packRef([1, 2, 3, 4], [5, 6, 7, 8], 2)]).toEqual([1, 2, 5, 6, 3, 4, 7, 8])
    expect([...unpackRef([1, 2, 5, 6, 3, 4, 7, 8], 2).up]).toEqual([5, 6, 7, 8])
  })
})
