import { unpackRows, type Encoder } from '../../src/kernels'
import { matrixShape, WeightStore, type ParameterSpecs } from '../../src/model/parameters'
import { heldAs } from '../../src/model/precision'
import type { Held } from '../presets.mjs'
import { RandomHalves } from './random'
import type { Bench } from './subject'

/** Elements read back at a time. */
const PIECE = 1 << 24

/**
 * Random weights for a part's parameters under `prefix`, held as the engine holds a checkpoint in f16, or one in f32 where
 * that is asked for.
 */
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
    const within = spec.within && { ...spec.within, name: `${prefix}.${spec.within.name}` }
    if (spec.kind === 'vector') {
      pool(0.5).fillVector(enc, store.addVector(full, spec.shape, within))
      continue
    }
    const [rows, cols] = matrixShape(spec)
    const dtype = heldAs(full, spec, held === 'f32' ? 'f32' : 'f16', held)
    await pool(spec.kind === 'table' ? 0.05 : 0.03).fill(
      enc,
      store.addMatrix(full, rows, cols, dtype, within),
    )
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

  async matrix(name: string, rowStart = 0, rows?: number): Promise<Float32Array> {
    const weight = this.store.matrix(`${this.prefix}.${name}`)
    const { cols } = weight
    const count = rows ?? weight.rows - rowStart
    const values = new Float32Array(count * cols)
    // A binding may not hold all of it.
    const step = Math.max(1, Math.floor(PIECE / cols))
    for (let row = 0; row < count; row += step) {
      const piece = unpackRows(this.enc, weight, rowStart + row, Math.min(step, count - row))
      values.set(await this.enc.read(piece), row * cols)
      this.enc.end()
    }
    return values
  }

  vector(name: string): Promise<Float32Array> {
    return this.enc.read(this.store.vector(`${this.prefix}.${name}`))
  }
}
