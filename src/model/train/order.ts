import { DatasetError } from '../errors'
import type { Recipe } from './definition'
import { Random } from './random'
import { stepsOf } from './schedule'

/** Which rows each step sees. Any step may be asked for directly: a run that goes on needs its number alone. */
export interface DataOrder {
  /** Steps there are rows for; undefined where epochs follow one another without end. */
  readonly steps: number | undefined
  /** Steps in which every row has its turn. */
  readonly stepsPerEpoch: number
  /**
   * Rows of each micro-batch of a step, which is counted from 0.
   *
   * Throws: DatasetError past the last step of a fixed order.
   */
  microBatches(step0: number): readonly (readonly number[])[]
}

/**
 * Every epoch is a shuffle of its own of all usable rows, cut as `stepsOf` counts: an epoch's last micro-batch and its
 * last step may be smaller.
 *
 * One epoch's shuffle is held at a time, 4 bytes a row; it follows from the seed and the epoch alone.
 */
export function shuffledOrder(
  usable: Uint32Array,
  recipe: Pick<Recipe, 'batchSize' | 'accumulate' | 'epochs' | 'steps' | 'seed'>,
): DataOrder {
  const { batchSize, accumulate, seed } = recipe
  const { stepsPerEpoch } = stepsOf(recipe, usable.length)
  const rowsPerStep = batchSize * accumulate
  let held: { epoch: number; rows: Uint32Array } | undefined
  return {
    steps: undefined,
    stepsPerEpoch,
    microBatches(step0) {
      const epoch = Math.floor(step0 / stepsPerEpoch)
      if (held?.epoch !== epoch) {
        held = { epoch, rows: new Random(seed, `order of epoch ${epoch}`).shuffle(usable.slice()) }
      }
      const start = (step0 % stepsPerEpoch) * rowsPerStep
      return cut([...held.rows.subarray(start, start + rowsPerStep)], batchSize)
    },
  }
}

function cut(rows: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.slice(i * size, (i + 1) * size))
}

/** Under these names recorded runs keep their order. */
const ORDER_NAMES = ['micro_batches', 'order'] as const

/** The list of steps in parsed JSON: the list itself, or the one that an object has as `micro_batches` or `order`. */
export function stepsIn(json: unknown): unknown {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json
  const name = ORDER_NAMES.find((name) => Object.hasOwn(json, name))
  return name === undefined ? json : (json as Record<string, unknown>)[name]
}

/**
 * An order from parsed JSON, as `stepsIn` finds it: step, micro-batch, rows (counted from 0), or step and rows where each
 * step is one micro-batch.
 *
 * `usable` are the rows that can be trained on, ascending; without it, all below `rowCount`.
 * Throws: DatasetError, which names the first place that cannot be.
 */
export function fixedOrder(
  json: unknown,
  rowCount: number,
  usable?: Uint32Array,
): DataOrder & { readonly steps: number } {
  const list = stepsIn(json)
  if (!Array.isArray(list) || list.length === 0) {
    throw malformed('', `a list of steps, alone or as ${ORDER_NAMES.join(' or ')} of an object`, list)
  }
  const canBeUsed = usable && new Set(usable)
  const order = list.map((step: unknown, at) => {
    const where = `step ${at}`
    if (!Array.isArray(step) || step.length === 0) {
      throw malformed(where, 'a list of micro-batches, or of rows', step)
    }
    const batches: unknown[] = Array.isArray(step[0]) ? step : [step]
    return batches.map((batch, b) => {
      const place = batches === step ? `${where}, micro-batch ${b}` : where
      if (!Array.isArray(batch) || batch.length === 0) throw malformed(place, 'a list of rows', batch)
      return batch.map((row: unknown) => {
        if (!Number.isInteger(row) || (row as number) < 0 || (row as number) >= rowCount) {
          throw malformed(place, `row numbers from 0 to ${rowCount - 1}`, row)
        }
        if (canBeUsed && !canBeUsed.has(row as number)) {
          throw new DatasetError(
            `order: ${place}: row ${row as number} cannot be trained on: it is kept for validation, or its picture or ` +
              'text is broken; leave it out',
          )
        }
        return row as number
      })
    })
  })
  return {
    steps: order.length,
    stepsPerEpoch: order.length,
    microBatches(step0) {
      const step = order[step0]
      if (step) return step
      throw new DatasetError(
        `order: expected rows for step ${step0}, got an order of ${order.length} steps; ` +
          `train ${order.length} steps or fewer, or write a longer order`,
      )
    },
  }
}

function malformed(where: string, expected: string, came: unknown): DatasetError {
  const got =
    Array.isArray(came) && came.length === 0
      ? 'an empty one'
      : (JSON.stringify(came) ?? String(came)).slice(0, 60)
  return new DatasetError(
    `order: ${where && `${where}: `}expected ${expected}, got ${got}; ` +
      'write it as [[[0, 1], [2, 3]], ...]: steps, micro-batches, rows counted from 0',
  )
}

/**
 * Keeps `count` of the usable rows for validation, chosen by the seed.
 *
 * Returns: both in ascending order. Throws: DatasetError where nothing would be left to train on.
 */
export function chooseHeldOut(
  usable: Uint32Array,
  count: number,
  seed: number,
): { train: Uint32Array; heldOut: number[] } {
  if (!Number.isInteger(count) || count < 0 || count >= usable.length) {
    throw new DatasetError(
      `held-out rows: expected a whole number from 0 to ${Math.max(0, usable.length - 1)}, because one of ` +
        `${usable.length} usable rows must be left to train on, got ${count}; keep fewer for validation`,
    )
  }
  const chosen = new Set(new Random(seed, 'held-out rows').shuffle(usable.slice()).subarray(0, count))
  return {
    train: usable.filter((row) => !chosen.has(row)),
    heldOut: [...usable].filter((row) => chosen.has(row)),
  }
}
