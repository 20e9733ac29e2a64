import { unpackRows, type Encoder } from '../../src/kernels'
import { matrixShape, WeightStore, type ParameterSpecs } from '../../src/model/parameters'
import { heldAs } from '../../src/model/precision'
import type { Held } from '../presets.mjs'
import { RandomHalves } from './random'
import type { Bench } from './subject'

/** Random weights for a part's parameters under `prefix`, held as the engine holds a checkpoint in f16. */
export async function randomWeights(
  { gpu, enc }: Bench,
  prefix: string,
  specs: ParameterSpecs,
  held: Held,
): Promise<WeightStore> {
  const store = new WeightStore(gpu)
  const pools = new Map<number, RandomHalves>()
  const pool = (deviation: number) => {
    if (!pools.has(deviation)) pools.set(deviation, new RandomHalves(deviation))
    return pools.get(deviation)!
  }
  for (const [name, spec] of Object.entries(specs)) {
    const full = `${prefix}.${name}`
    if (spec.kind === 'vector') {
      pool(0.5).fillVector(enc, store.addVector(full, spec.shape))
      continue
    }
    const [rows, cols] = matrixShape(spec)
    const dtype = heldAs(full, spec, 'f16', held)
    await pool(spec.kind === 'table' ? 0.05 : 0.03).fill(enc, store.addMatrix(full, rows, cols, dtype))
  }
  return store
}

/** Values of parameters as the GPU holds them, for oracles. */
export class HeldValues {
  constructor(
    private readonly enc: Encoder,
    private readonly store: WeightStore,
    private readonly prefix: string,
  ) {}

  async matrix(name: string, rowStart?: number, rows?: number): Promise<Float32Array> {
    const values = await this.enc.read(
      unpackRows(this.enc, this.store.matrix(`${this.prefix}.${name}`), rowStart, rows),
    )
    this.enc.end()
    return values
  }

  vector(name: string): Promise<Float32Array> {
    return this.enc.read(this.store.vector(`${this.prefix}.${name}`))
  }
}
