import { describe, expect, test } from 'vitest'
import { DatasetError } from '../errors'
import { chooseHeldOut, fixedOrder, shuffledOrder, stepsIn } from './order'
import { recipes } from './recipes'
import { stepsOf } from './schedule'

const recipe = { ...recipes['llava-1.5'].recipe, batchSize: 3, accumulate: 2, epochs: 4, seed: 9 }
const rowsOf = (count: number) => Uint32Array.from({ length: count }, (_, i) => 10 * i + 1)

describe('shuffledOrder', () => {
  test('shows every row once an epoch, in an order of its own', () => {
    const usable = rowsOf(20)
    const before = usable.slice()
    const order = shuffledOrder(usable, recipe)
    const { steps, stepsPerEpoch } = stepsOf(recipe, usable.length)
    expect([steps, stepsPerEpoch]).toEqual([16, 4])
    const epochs = Array.from({ length: 4 }, (_, epoch) =>
      Array.from({ length: stepsPerEpoch }, (_, i) => order.microBatches(epoch * stepsPerEpoch + i)),
    )
    for (const epoch of epochs) {
      // 20 rows in threes are six micro-batches and one of two: three steps of two, and one of one.
      expect(epoch.map((step) => step.map((batch) => batch.length))).toEqual([[3, 3], [3, 3], [3, 3], [2]])
      expect(epoch.flat(2).sort((a, b) => a - b)).toEqual([...usable])
    }
    expect(new Set(epochs.map((epoch) => epoch.flat(2).join())).size).toBe(4)
    expect(usable).toEqual(before)
  })

  test('gives any step directly, so that a run goes on where it stopped', () => {
    const all = shuffledOrder(rowsOf(50), recipe)
    const run = Array.from({ length: 36 }, (_, step0) => all.microBatches(step0))
    for (const step0 of [35, 0, 9, 17, 8, 8, 26, 3]) {
      expect(all.microBatches(step0)).toEqual(run[step0])
      expect(shuffledOrder(rowsOf(50), recipe).microBatches(step0)).toEqual(run[step0])
    }
    // Written down: a run must go on the same after an update of this program.
    expect([run[0], run[10]]).toEqual([
      [
        [11, 81, 41],
        [351, 381, 361],
      ],
      [
        [31, 191, 101],
        [471, 381, 491],
      ],
    ])
  })

  test('depends on the seed', () => {
    const first = (seed: number) => shuffledOrder(rowsOf(50), { ...recipe, seed }).microBatches(0)
    expect(first(9)).not.toEqual(first(10))
  })

  test('refuses to begin without rows', () => {
    expect(() => shuffledOrder(new Uint32Array(), recipe)).toThrow(DatasetError)
  })
})

describe('fixedOrder', () => {
  test('takes micro-batches, and steps that are one micro-batch', () => {
    const accumulated = fixedOrder(
      [
        [
          [0, 5],
          [2, 4],
        ],
        [[3, 1]],
      ],
      6,
    )
    expect(accumulated.steps).toBe(2)
    expect(accumulated.microBatches(0)).toEqual([
      [0, 5],
      [2, 4],
    ])
    expect(accumulated.microBatches(1)).toEqual([[3, 1]])
    expect(
      fixedOrder(
        [
          [4, 0],
          [1, 1, 2],
        ],
        5,
      ).microBatches(1),
    ).toEqual([[1, 1, 2]])
  })

  test('takes what recorded runs keep it in', () => {
    const order = [[[0, 1]], [[1]]]
    expect(stepsIn({ case: 'x', micro_batches: order, steps: [{ loss: 1 }] })).toBe(order)
    expect(stepsIn({ order, steps: 2 })).toBe(order)
    expect(stepsIn(order)).toBe(order)
    expect(fixedOrder({ micro_batches: order }, 2).microBatches(0)).toEqual([[0, 1]])
    const other = { steps: order }
    expect(stepsIn(other)).toBe(other)
    expect(stepsIn(null)).toBeNull()
  })

  test.each([
    [{}, 'order: expected a list of steps, alone or as micro_batches or order of an object, got {}'],
    [{ order: 7 }, 'order: expected a list of steps, alone or as micro_batches or order of an object, got 7'],
    [
      [],
      'order: expected a list of steps, alone or as micro_batches or order of an object, got an empty one',
    ],
    [[[0], 1], 'order: step 1: expected a list of micro-batches, or of rows, got 1'],
    [[[0], []], 'order: step 1: expected a list of micro-batches, or of rows, got an empty one'],
    [[[[0], []]], 'order: step 0, micro-batch 1: expected a list of rows, got an empty one'],
    [[[[0], 1]], 'order: step 0, micro-batch 1: expected a list of rows, got 1'],
    [[[[0], [1, 6]]], 'order: step 0, micro-batch 1: expected row numbers from 0 to 5, got 6'],
    [[[0, [1]]], 'order: step 0: expected row numbers from 0 to 5, got [1]'],
    [[[0, -1]], 'order: step 0: expected row numbers from 0 to 5, got -1'],
    [[[0, 0.5]], 'order: step 0: expected row numbers from 0 to 5, got 0.5'],
    [[[0, '1']], 'order: step 0: expected row numbers from 0 to 5, got "1"'],
    [[[0, null]], 'order: step 0: expected row numbers from 0 to 5, got null'],
  ])('refuses %j', (json, message) => {
    expect(() => fixedOrder(json, 6)).toThrow(DatasetError)
    expect(() => fixedOrder(json, 6)).toThrow(
      `${message}; write it as [[[0, 1], [2, 3]], ...]: steps, micro-batches, rows counted from 0`,
    )
  })

  test('refuses rows that are left out, and steps it does not have', () => {
    const usable = Uint32Array.of(0, 2, 3)
    expect(fixedOrder([[[0], [3, 2]]], 4, usable).microBatches(0)).toEqual([[0], [3, 2]])
    expect(() => fixedOrder([[0, 1]], 4, usable)).toThrow('order: step 0: row 1 cannot be trained on')
    const order = fixedOrder([[0], [1]], 4)
    expect(() => order.microBatches(2)).toThrow('order: expected rows for step 2, got an order of 2 steps')
    expect(() => order.microBatches(-1)).toThrow(DatasetError)
  })
})

describe('chooseHeldOut', () => {
  test('parts the rows by the seed', () => {
    const usable = rowsOf(40)
    const { train, heldOut } = chooseHeldOut(usable, 7, 3)
    expect(heldOut).toHaveLength(7)
    expect([...train, ...heldOut].sort((a, b) => a - b)).toEqual([...usable])
    expect([...train]).toEqual([...train].sort((a, b) => a - b))
    expect(heldOut).toEqual([...heldOut].sort((a, b) => a - b))
    expect(chooseHeldOut(usable, 7, 3)).toEqual({ train, heldOut })
    expect(chooseHeldOut(usable, 7, 4).heldOut).not.toEqual(heldOut)
    // Not the first ones, as an unshuffled choice would be.
    expect(heldOut).not.toEqual([...usable].slice(0, 7))
  })

  test('keeps at least one row to train on', () => {
    expect(chooseHeldOut(rowsOf(3), 0, 1)).toEqual({ train: rowsOf(3), heldOut: [] })
    expect(chooseHeldOut(rowsOf(3), 2, 1).train).toHaveLength(1)
    for (const count of [3, -1, 0.5, NaN])
      expect(() => chooseHeldOut(rowsOf(3), count, 1)).toThrow(DatasetError)
  })
})
