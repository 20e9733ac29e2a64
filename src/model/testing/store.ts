import { Encoder, packRows, type Arena, type Gpu, uploadTensor, type WeightDtype } from '../../kernels'
import { matrixShape, WeightStore, type ParameterSpecs } from '../parameters'

/** A store filled from host arrays: random tiny models, and towers read on their own. */
export function storeFrom(
  gpu: Gpu,
  arena: Arena,
  specs: ParameterSpecs,
  valueOf: (name: string) => Float32Array<ArrayBuffer>,
  dtype: WeightDtype = 'f32',
): WeightStore {
  const store = new WeightStore(gpu)
  const enc = new Encoder(gpu, arena, 'fill store')
  for (const [name, spec] of Object.entries(specs)) {
    const values = valueOf(name)
    if (spec.kind === 'vector') {
      const { buffer, offset } = store.addVector(name, spec.shape, spec.within)
      gpu.device.queue.writeBuffer(buffer, offset, values)
      continue
    }
    const [rows, cols] = matrixShape(spec)
    const weight = store.addMatrix(name, rows, cols, dtype, spec.within)
    const raw = uploadTensor(gpu, `raw ${name}`, [values.length], new Uint32Array(values.buffer))
    packRows(enc, weight, raw, { rowStart: 0, rows, dtype: 'f32' })
    enc.end()
    gpu.destroyBuffer(raw.buffer)
  }
  return store
}
