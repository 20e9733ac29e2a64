import { describe, expect, test } from 'vitest'
import { seeded } from '../testing/numbers'
import {
  bf16BitsRef,
  bf16ValueRef,
  dequantiseRef,
  halfBitsRef,
  halfValueRef,
  quantiseQ4Ref,
  quantiseQ8Ref,
} from './pack.ref'

describe('pack oracle', () => {
  test('every f16 number survives the round trip', () => {
    for (let half = 0; half < 0x7c00; half++) {
      expect(halfBitsRef(halfValueRef(half))).toBe(half)
      expect(halfBitsRef(halfValueRef(half | 0x8000))).toBe(half | 0x8000)
    }
  })

  test('f16 rounds ties to even and saturates', () => {
    expect(halfValueRef(halfBitsRef(2049))).toBe(2048)
    expect(halfValueRef(halfBitsRef(2051))).toBe(2052)
    expect(halfValueRef(halfBitsRef(2 ** -25))).toBe(0)
    expect(halfValueRef(halfBitsRef(1.5 * 2 ** -24))).toBe(2 ** -23)
    expect(halfValueRef(halfBitsRef(-1e9))).toBe(-65504)
    expect(halfBitsRef(NaN)).toBe(0x7e00)
  })

  test('bf16 is the upper half of an f32', () => {
    expect(bf16ValueRef(bf16BitsRef(1.5))).toBe(1.5)
    expect(bf16ValueRef(bf16BitsRef(-3e38))).toBeCloseTo(-3e38, -37)
  })

  test('quantised values are within half a step, and their error is what the number of levels allows', () => {
    const { w } = seeded({ w: [8, 77] })
    const error = (quantised: ReturnType<typeof quantiseQ8Ref>) => {
      const back = dequantiseRef(quantised, 8, 77)
      return Math.sqrt(w.reduce((sum, value, i) => sum + (value - back[i]!) ** 2, 0) / w.length)
    }
    // Normal values in blocks of 32 span about +-2.1: steps of 2.1/127 and 4.2/15, rms error step / sqrt(12).
    expect(error(quantiseQ8Ref(w, 8, 77))).toBeLessThan(0.006)
    expect(error(quantiseQ4Ref(w, 8, 77))).toBeLessThan(0.09)
    expect(error(quantiseQ4Ref(w, 8, 77))).toBeGreaterThan(0.06)
  })
})
