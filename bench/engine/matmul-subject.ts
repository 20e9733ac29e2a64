import { createWeight, matmul, unpackRows, uploadTensor } from '../../src/kernels'
import { matmulRef } from '../../src/kernels/matmul/matmul.ref'
import { seeded } from '../../src/kernels/testing/numbers'
import type { MatmulPreset } from '../presets.mjs'
import { RandomHalves } from './random'
import { relativeError, type Bench, type Subject } from './subject'

/** Rows of x that the oracle computes; all of them would take it minutes. */
const CHECKED_ROWS = 4

/** A product with a weight, back to back, results left on the GPU. */
export async function matmulSubject({ gpu, enc }: Bench, preset: MatmulPreset): Promise<Subject> {
  const { M, K, N, held } = preset
  const weight = createWeight(gpu, 'w', N, K, held)
  await new RandomHalves(1 / Math.sqrt(K)).fill(enc, weight)
  const { x: data } = seeded({ x: [M, K] })
  const x = uploadTensor(gpu, 'x', [M, K], data)
  return {
    async check() {
      const y = await enc.read(matmul(enc, x, weight))
      const w = await enc.read(unpackRows(enc, weight))
      enc.end()
      let error = 0
      for (let i = 0; i < Math.min(M, CHECKED_ROWS); i++) {
        const row = Math.floor(((i + 0.5) * M) / Math.min(M, CHECKED_ROWS))
        const want = matmulRef(data.subarray(row * K, (row + 1) * K), w, K)
        error = Math.max(error, relativeError(y.subarray(row * N, (row + 1) * N), want))
      }
      return { error, allowed: 2e-5 }
    },
    async run(units) {
      for (let i = 0; i < units; i++) {
        enc.scope(() => matmul(enc, x, weight))
        enc.end()
      }
      await gpu.finish()
    },
    dispatches() {
      const before = enc.dispatches
      enc.scope(() => matmul(enc, x, weight))
      enc.end()
      return enc.dispatches - before
    },
  }
}
