import type { Tuning } from '../worker/engine'
import type { TuneArgs } from './args'
import { createEngine } from './engine'
import { throwIfUnfit } from './open-model'
import { json, print } from './output'

/** Measures the GPU's fastest kernels, for all later commands. */
export async function tune(args: TuneArgs): Promise<void> {
  const engine = await createEngine(args.adapter)
  throwIfUnfit(await engine.probe())
  const tuning = await engine.tune()
  await print(args.json ? json(tuning) : formatTuning(tuning))
}

/** A line for each class of products that another form than the usual one suits. */
export function formatTuning({ products }: Tuning): string {
  const lines = Object.entries(products).map(([product, form]) => `${product.padEnd(10)}${form}\n`)
  return lines.length > 0 ? lines.join('') : 'no form is faster than the usual ones\n'
}
