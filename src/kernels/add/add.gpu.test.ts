import { describe, expect, test } from 'vitest'
import { onGpu } from '../testing/gpu'
import { withGridLimit } from '../testing/grid-limit'
import { seeded } from '../testing/numbers'
import { add, addInto } from './add'
import { addCases } from './add.cases'
import { addRef } from './add.ref'

describe('add', () => {
  test.each(addCases)('matches the oracle for $a + $b', async (shapes) => {
    const { a, b } = seeded(shapes)
    const got = await onGpu({ a, b }, (enc, t) => {
      const y = add(enc, t.a, t.b)
      addInto(enc, t.a, t.b)
      return { y, x: t.a }
    })
    expect(got.y).toBeClose(addRef(a, b))
    expect(got.x).toBeClose(addRef(a, b))
  })

  test('leaves what lies after a part of a buffer alone', async () => {
    const { whole, y } = seeded({ whole: [70], y: [3] })
    const got = await onGpu({ whole, y }, (enc, t) => {
      addInto(enc, { ...t.whole, shape: [3], offset: 256 }, t.y)
      return { whole: t.whole }
    })
    expect(got.whole).toBeClose(Float64Array.from(whole, (v, i) => (i >= 64 && i < 67 ? v + y[i - 64]! : v)))
  })

  test('a folded grid reaches every element once', async () => {
    const { a, b } = seeded({ a: [9, 1024], b: [1024] })
    const got = await onGpu({ a, b }, (enc, t) =>
      withGridLimit(enc.gpu, 4, () => {
        const y = add(enc, t.a, t.b)
        addInto(enc, t.a, t.b)
        return { y, x: t.a }
      }),
    )
    expect(got.y).toBeClose(addRef(a, b))
    expect(got.x).toBeClose(addRef(a, b))
  })

  test('refuses a summand that is no trailing part', async () => {
    const { a, b } = seeded({ a: [4, 8], b: [4] })
    await expect(onGpu({ a, b }, (enc, t) => ({ y: add(enc, t.a, t.b) }))).rejects.toThrow(
      'add: b should be [4, 8] or its last axes but is [4]',
    )
  })
})
